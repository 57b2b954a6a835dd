"""The codes of what machines are answered when something is wrong: one catalogue, shown in the
manual and in the document. A code never changes its meaning; a new one may be added.
"""

from api.fields import N_

# Of a whole request (`code`).
REQUEST = {
    "unauthorized": N_("No key, an unknown one, or one that was revoked."),
    "forbidden": N_("The key does not open this: it lacks the scope."),
    "not_found": N_("There is nothing at this address, or it is another vendor's."),
    "method_not_allowed": N_("The address exists, and does not answer this method."),
    "too_large": N_("The body is larger than what is taken."),
    "too_many": N_("Too many requests: wait the seconds of Retry-After."),
    "invalid": N_("The request cannot be understood; `errors` names the fields."),
    "refused": N_("It was understood and is not possible; `message` says why."),
    "key_reused": N_("This Idempotency-Key was used for another request."),
    "still_running": N_("The same request is under way: ask again in 5 seconds."),
    "number_reused": N_("The till gave this number to another event before."),
    "missing_ean": N_("No barcode was given."),
    "bad_ean": N_("This is no barcode: its length or its check digit is wrong."),
    "unknown_ean": N_("The catalogue has no such barcode."),
    "unavailable": N_("The database or its disk does not answer: try again in a minute."),
    "internal_error": N_("Something broke on our side: send us the request_id."),
    "bad_request": N_("The request is not readable as HTTP."),
    # Of a refusal, of a whole request or of one event of a queue.
    "bad_number": N_("The number of an event is a whole number from 1 on."),
    "too_many_units": N_("More units than a shop holds, or than one event may speak of."),
    "price_missing": N_("This event needs a price."),
    "no_such_unit": N_("This store has no such second-hand unit."),
    "one_unit_only": N_("Second-hand units are told one by one."),
    "counts_elsewhere": N_("Another till counts for this store."),
    "bad_includes": N_("A count includes only events that came before it."),
    "dated_ahead": N_("The moment lies in the future: a clock is wrong."),
    "nothing_waits": N_("This file does not wait for a confirmation."),
    "already_started": N_("This file was started already."),
    "address_known": N_("This address is told already."),
    "till_known": N_("A till of this name in this store has a valid key already."),
    "vendor_required": N_("This key opens several vendors: name one with `vendor`."),
    "lines_incomplete": N_("An acceptance names every line of the order once."),
    "wrong_code": N_("This is not the code of this order; it was counted."),
    "unknown_vendor": N_("This key opens no vendor with this code."),
}
# Of one field (`errors[].code`) or of one line.
FIELD = {
    "missing": N_("This is needed."),
    "json": N_("The body is no JSON."),
    "object": N_("A JSON object is expected."),
    "boolean": N_("true or false is expected."),
    "choice": N_("One of the named values is expected."),
    "whole_number": N_("A whole number in these bounds is expected."),
    "text": N_("A text of this length is expected."),
    "list": N_("A list of at most so many is expected."),
    "amount": N_('An amount as a decimal text is expected: "23.42".'),
    "day": N_("A day is expected: 2026-11-25."),
    "moment": N_("A moment with its offset is expected."),
    "file": N_("A file is expected, or this one is not taken."),
    "postcode": N_("A French postal code is expected."),
    "unknown_store": N_("None of your stores has this code."),
    "store": N_("A key that stands in one store cannot give this kind of file."),
    "named_twice": N_("Two lines say two things of one barcode: neither is believed."),
    "invalid": N_("This is not what is expected here."),
}
# Of an event that was taken all the same (`warnings`).
WARNING = {
    "clock_ahead": N_("The event was dated ahead of us: it was taken as of now. Send `sent_at`."),
    "below_zero": N_("More units left than we knew of: the stock stands at zero or above."),
}
ALL = FIELD | REQUEST | WARNING
