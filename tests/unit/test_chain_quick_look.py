"""The quick look that replay takes at a line lets nothing through that the careful one refuses."""

from hashlib import sha256

from hypothesis import example, given
from hypothesis import strategies as st

from journal.chain import Chain, encode_batch, genesis
from journal.draft import Draft, Stamp, freeze
from journal.errors import StorageError
from journal.events.base import Event
from journal.events.log import AnnotationAdded
from journal.events.run import RunCreated, RunStarted, WriterInfo

RUN = "019aab00-0000-7000-8000-000000000001"
WRITER = WriterInfo(host="h", pid=1, user="u", library="l")
EVENTS: list[Event] = [
    RunCreated(project="p", format=1, writer=WRITER),
    RunStarted(),
    AnnotationAdded(text="x"),
]
GOOD = "2026-11-22T09:10:11.123456Z"

almost_times = st.one_of(
    st.just(GOOD),
    st.text("0123456789-:.TZ+W ", min_size=26, max_size=28),
    st.tuples(st.integers(0, 26), st.characters()).map(
        lambda edit: GOOD[: edit[0]] + edit[1] + GOOD[edit[0] + 1 :]
    ),
)


def verdict(lines: list[bytes], *, strict: bool) -> list[object]:
    """What a walk says of each line, up to the first that it refuses."""
    chain = Chain(RUN, strict=strict)
    said: list[object] = []
    for line in lines:
        try:
            said.append(chain.follow(line))
        except StorageError as refused:
            said.append((refused.code, refused.info.details.reason))
            break
    return [*said, chain.seq, chain.position, chain.hash, chain.between_batches]


def batch_of(sizes: list[tuple[int, int]]) -> list[bytes]:
    """Lines with the batches that they claim, whatever these are, in a chain that holds."""
    lines, link = [], genesis(RUN)
    for number, (first, count) in enumerate(sizes, 1):
        draft = freeze(RUN, EVENTS[min(number, 3) - 1])
        # The place in the batch is what a line says, so it is put where the draft ends.
        middle = draft.middle + b',"batch":[%d,%d]' % (first, count)
        body = b'{"seq":%d,"timestamp":"%b",%b' % (number, GOOD.encode(), middle)
        link = sha256(link.encode() + body).hexdigest()
        lines.append(body + b',"hash":"%b"}\n' % link.encode())
    return lines


@given(almost_times)
@example("2026-11-22T24:00:00.000000Z")
@example("2026-02-29T09:10:11.123456Z")
@example("2024-02-29T09:10:11.123456Z")
@example("0000-11-22T09:10:11.123456Z")
@example("2026-11-22T09:10:11.12-456Z")
@example("2026-W47-7T09:10:11.123456Z")
@example("2026-11-22T09:10:11,123456Z")
def test_a_time_is_taken_by_both_or_by_neither(stamp: str) -> None:
    """Case 34: half the price may not mean half the rule."""
    draft: Draft = freeze(RUN, EVENTS[0])
    if any(char in '"\\' or ord(char) < 32 or 0xD800 <= ord(char) < 0xE000 for char in stamp):
        return  # not a JSON string as it stands
    lines, _ = encode_batch(genesis(RUN), [Stamp(draft, 1, stamp, None)])
    assert verdict(lines, strict=False) == verdict(lines, strict=True)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-1, 4)), min_size=1, max_size=5))
@example([(1, 1), (2, 2), (2, 2), (4, 1)])
@example([(1, 2), (1, 2), (1, 2)])
@example([(1, 0)])
def test_a_batch_is_taken_by_both_or_by_neither(sizes: list[tuple[int, int]]) -> None:
    """Cases 24 and 27: a line that does not go on in its batch, nor begins the next, is refused."""
    lines = batch_of(sizes)
    assert verdict(lines, strict=False) == verdict(lines, strict=True)
    said = verdict(lines, strict=False)
    whole = all(
        first == 1 + sum(counts) and count >= 1 for (first, count), counts in _begins(sizes)
    )
    refused = isinstance(said[-5], tuple)
    assert refused is not (whole and _goes_on(sizes))


def _begins(sizes: list[tuple[int, int]]) -> list[tuple[tuple[int, int], list[int]]]:
    """Each batch where it begins, with the lengths of those before, by plain counting."""
    found: list[tuple[tuple[int, int], list[int]]] = []
    left = 0
    before: list[int] = []
    for size in sizes:
        if left <= 0:
            found.append((size, list(before)))
            before.append(size[1])
            left = size[1]
        left -= 1
    return found


def _goes_on(sizes: list[tuple[int, int]]) -> bool:
    """Whether every line inside a batch claims the same as the line above."""
    left = 0
    for number, size in enumerate(sizes):
        if left > 0 and size != sizes[number - 1]:
            return False
        left = (left if left > 0 else size[1]) - 1
    return True
