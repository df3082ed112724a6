from __future__ import annotations

from shared.ids import ALPHABET, new_event_id, new_id


def test_ids_carry_their_prefix_and_never_repeat() -> None:
    made = {new_id("usr_") for _ in range(5000)}
    assert len(made) == 5000
    assert all(name.startswith("usr_") and len(name) == 20 for name in made)
    assert set("".join(name[4:] for name in made)) == set(ALPHABET)


def test_event_ids_are_uuid_7_in_order_of_time() -> None:
    first, second = new_event_id(), new_event_id()
    assert first.version == 7
    assert first.variant == "specified in RFC 4122"
    assert first.int >> 80 <= second.int >> 80
