"""The service's own account counts repeats, order and overlap for each driver token."""

from hookline.demo.acceptances import Acceptances


def test_records_of_two_tokens_in_order_are_in_order_however_they_mix():
    kept = Acceptances()
    for number, token in enumerate(["a", "b", "b", "a", "a"]):
        kept.accept(f"s{number}", token, number, at=float(number))
    account = kept.account()
    assert account.out_of_order == 0
    assert account.accepted["s3"] == (1, 3.0)


def test_a_record_that_overtakes_an_earlier_one_of_its_token_is_out_of_order():
    kept = Acceptances()
    for session, sequence in (("s1", 1), ("s3", 3), ("s2", 2), ("s4", 4)):
        kept.accept(session, "a", sequence, at=0.0)
    assert kept.account().out_of_order == 1


def test_a_repeat_is_counted_with_its_first_time_and_is_not_out_of_order():
    kept = Acceptances()
    kept.accept("s1", "a", 1, at=10.0)
    kept.accept("s2", "a", 2, at=11.0)
    kept.accept("s1", "a", 1, at=12.0)
    account = kept.account()
    assert account.accepted["s1"] == (2, 10.0)
    assert account.out_of_order == 0


def test_a_gap_in_the_sequence_is_not_out_of_order():
    kept = Acceptances()
    kept.accept("s1", "a", 1, at=0.0)
    kept.accept("s5", "a", 5, at=0.0)
    assert kept.account().out_of_order == 0


def test_two_requests_at_once_for_one_token_overlap_and_for_two_tokens_do_not():
    kept = Acceptances()
    kept.begin("a")
    kept.begin("b")
    assert kept.account().overlapping == 0
    kept.begin("a")
    assert kept.account().overlapping == 1
    kept.end("a")
    kept.end("a")
    kept.begin("a")
    assert kept.account().overlapping == 1


def test_answers_are_counted_by_status():
    kept = Acceptances()
    for status in (200, 503, 200):
        kept.answered(status)
    assert kept.account().answers == {"200": 2, "503": 1}
