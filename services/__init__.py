"""What the business does: no HTTP, no HTML, no commit (unit.py and outbox.py alone begin and end
transactions).
"""
