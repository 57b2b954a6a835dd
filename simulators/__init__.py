"""The outside world in a box, for `make run` and the tests: real protocols on loopback, never
reached in production.
"""
