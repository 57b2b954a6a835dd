"""The journal is read by people: no noun of the code in it."""

from admin.installation.events import SUBJECTS
from services import workflow


def test_each_noun_of_the_log_has_its_word(app):
    flows = {flow.name for flow in workflow.all_flows()}
    nouns = {noun for noun, _verb in workflow.VERBS} | flows
    assert nouns - set(SUBJECTS) == set()
