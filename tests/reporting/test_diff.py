"""What changed between two reports."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from auditor.errors import AuditorError
from auditor.reporting import FORMATS, diff, diff_formats
from auditor.reporting.previous import load
from tests.changes import FORMS, RULE, Scan, cluster, gap, project, scan
from tests.reporting import reports
from tests.sources import assets as make

if TYPE_CHECKING:
    from collections.abc import Iterable

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "diff.schema.json").read_text())
OTHER = cluster("other", "shop", on=True)
THEN = [cluster(), OTHER, project("pay"), project("shop")]


def compared(tmp_path: Path, then: Scan, now: Scan, form: str = "json") -> diff.Diff:
    found = diff.compare(then.write(tmp_path / "then", form), now.write(tmp_path / "now", form))
    document = orjson.loads(b"".join(diff_formats.as_json(found)))
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    return found


TABLE: dict[str, tuple[dict[str, Any], list[str]]] = {
    "nothing changed": ({"assets": THEN}, []),
    "visibility was turned on": ({"assets": [cluster(on=True), OTHER]}, ["c fail pass better"]),
    "a cluster that was on is off": (
        {"assets": [cluster(), cluster("other", "shop")]},
        ["other pass fail worse"],
    ),
    "a new cluster is off": (
        {"assets": [*THEN, cluster("d")]},
        ["d none fail worse"],
    ),
    "a new cluster is on": ({"assets": [*THEN, cluster("d", on=True)]}, []),
    "the cluster was deleted": ({"assets": [OTHER, project("pay")]}, ["c fail gone better"]),
    "the project vanished from a plain export": (
        {"assets": [OTHER], "snapshot": False},
        ["c fail not_covered undecided"],
    ),
    "the project became unreadable": (
        {"assets": [OTHER], "gaps": (gap("projects/pay"),)},
        ["c fail not_covered undecided"],
    ),
    "the verdict became unknown": (
        {"assets": [cluster(networkConfig=None), OTHER]},
        ["c fail unknown undecided"],
    ),
    "a pass became unknown": (
        {"assets": [cluster(), cluster("other", "shop", networkConfig=None)]},
        ["other pass unknown undecided"],
    ),
    "the cluster does not run": (
        {"assets": [cluster(status="ERROR"), OTHER]},
        ["c fail not_judged undecided"],
    ),
    "the finding was waived": ({"assets": THEN, "waived": True}, ["c fail waived better"]),
    "the rule was not evaluated": (
        {"assets": THEN, "only": frozenset({"mtu-needs-intranode-visibility"})},
        ["c fail rule_gone undecided"],
    ),
    "the project is called by its number": (
        {"assets": [cluster(by_number=True), OTHER, project("pay")]},
        [],
    ),
}


def told(found: diff.Diff, rule: str = RULE) -> list[str]:
    def word(standing: diff.Standing) -> str:
        return "waived" if standing.waived else standing.verdict

    return [
        f"{one.resource.name.rsplit('/', 1)[-1]} {word(one.before)} {word(one.after)} {one.effect}"
        for one in found.verdicts
        if one.rule == rule
    ]


@pytest.mark.parametrize("form", ["json", "ndjson"])
@pytest.mark.parametrize("case", TABLE)
def test_a_verdict_changed(case: str, form: str, tmp_path: Path) -> None:
    now, expected = TABLE[case]
    assert told(compared(tmp_path, scan(THEN), scan(**now), form)) == expected


@pytest.mark.parametrize("case", TABLE)
def test_from_sarif_no_vanished_finding_is_taken_for_settled(case: str, tmp_path: Path) -> None:
    # SARIF does not say where everything was read.
    now, expected = TABLE[case]
    expected = [one.replace("gone better", "not_covered undecided") for one in expected]
    expected = [one.replace("rule_not_covered undecided", "rule_gone undecided") for one in expected]
    assert told(compared(tmp_path, scan(THEN), scan(**now), "sarif-full")) == expected


def test_the_reverse_of_better_is_worse(tmp_path: Path) -> None:
    mended = scan([cluster(on=True), OTHER, project("pay"), project("shop")])
    assert told(compared(tmp_path, mended, scan(THEN))) == ["c pass fail worse"]
    assert told(compared(tmp_path, scan(THEN, waived=True), scan(THEN))) == ["c waived fail worse"]


def test_clusters_come_and_go(tmp_path: Path) -> None:
    found = compared(tmp_path, scan(THEN), scan([OTHER, cluster("d"), project("pay")]))
    names = [[ref.name.rsplit("/", 1)[-1] for ref in refs] for refs in (found.appeared, found.disappeared)]
    assert names == [["d"], ["c"]]
    assert found.uncovered == ()
    found = compared(tmp_path, scan(THEN), scan([OTHER], snapshot=False))
    assert [ref.name.rsplit("/", 1)[-1] for ref in found.uncovered] == ["c"]
    assert found.effects["undecided"] >= 1


@pytest.mark.parametrize("form", FORMS)
def test_any_report_differs_in_nothing_from_itself(form: str, tmp_path: Path) -> None:
    for build in (reports.all_verdicts, reports.report):
        path = tmp_path / "report"
        path.write_bytes(b"".join(FORMATS[form](build())))
        found = diff.compare(str(path), str(path))
        assert not found.effects
        assert diff_formats.text(found).endswith("Nothing changed.\n")


def test_a_report_of_any_layout_is_compared(tmp_path: Path) -> None:
    then, now = scan(THEN), scan([cluster(on=True), OTHER])
    plain = compared(tmp_path, then, now)
    document = orjson.loads((tmp_path / "now").read_bytes())
    (tmp_path / "now").write_text(json.dumps(document, indent=1, sort_keys=True))
    again = diff.compare(str(tmp_path / "then"), str(tmp_path / "now"))
    assert (again.verdicts, again.readiness, again.traffic) == (
        plain.verdicts,
        plain.readiness,
        plain.traffic,
    )


def test_what_is_no_report_is_refused(tmp_path: Path) -> None:
    then = scan(THEN).write(tmp_path / "then")
    (tmp_path / "now").write_text("{}")
    with pytest.raises(AuditorError, match="no report") as raised:
        diff.compare(then, str(tmp_path / "now"))
    assert raised.value.place == str(tmp_path / "now")


@pytest.mark.parametrize("key", ["results", "clusters"])
@pytest.mark.parametrize("value", [[{}], [7], "x", [{"name": 1}]])
def test_a_damaged_report_is_refused(key: str, value: object, tmp_path: Path) -> None:
    then = scan(THEN).write(tmp_path / "then")
    document = orjson.loads((tmp_path / "then").read_bytes())
    document[key] = value
    (tmp_path / "now").write_bytes(orjson.dumps(document))
    with pytest.raises(AuditorError, match="damaged"):
        diff.compare(then, str(tmp_path / "now"))


def places(value: object, path: tuple[Any, ...] = ()) -> Iterable[tuple[Any, ...]]:
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 200), st.text(max_size=3), st.just("1-2"), st.just([]),
    st.just({}), st.just([{}]), st.just({"name": "x"}), st.just([[]]),
)  # fmt: skip
WHOLE = orjson.dumps(
    [orjson.loads(b"".join(FORMATS[form](reports.all_verdicts()))) for form in ("json", "sarif-full")]
)
PLACES = [list(places(one)) for one in orjson.loads(WHOLE)]


def compared_or_refused(old: str, new: str) -> diff.Diff | AuditorError:
    try:
        load(old)
        return diff.compare(old, new)
    except AuditorError as error:
        return error


@settings(max_examples=300)
@given(data=st.data())
def test_a_report_that_holds_anything_anywhere_is_compared_or_refused(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    number = data.draw(st.integers(0, 1))
    document = orjson.loads(WHOLE)[number]
    *path, last = data.draw(st.sampled_from(PLACES[number]))
    holder = document
    for key in path:
        holder = holder[key]
    holder[last] = data.draw(ANYTHING)
    folder = tmp_path_factory.getbasetemp()
    plain, changed = folder / "plain", folder / "changed"
    plain.write_bytes(orjson.dumps(orjson.loads(WHOLE)[number]))
    changed.write_bytes(orjson.dumps(document))
    for old, new in ((plain, changed), (changed, plain)):
        found = compared_or_refused(str(old), str(new))
        if isinstance(found, AuditorError):
            assert found.place in (str(plain), str(changed))
            assert found.hint
            continue
        assert b"".join(diff_formats.as_json(found))
        assert b"".join(diff_formats.markdown(found))
        assert diff_formats.text(found)


# --- packets --------------------------------------------------------------------------------------------

BASE = 10 << 24
ADDRESSES = 8
Packet = tuple[int, int, int, str, str]


def address(number: int) -> str:
    return f"10.0.0.{number}"


SPAN = st.tuples(st.integers(0, ADDRESSES - 1), st.integers(0, ADDRESSES - 1)).map(sorted)
POOLS = {"a": (0, 3), "b": (4, 7)}
RANGES = {"a": "10.0.0.0/30", "b": "10.0.0.4/30"}


@st.composite
def boxes(draw: st.DrawFn, scope: str) -> dict[str, Any]:
    source, destination = draw(SPAN), draw(SPAN)
    ports = sorted((draw(st.integers(1, 3)), draw(st.integers(1, 3))))
    names = st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=2, unique=True).map(sorted)
    senders = draw(names)
    return {
        "direction": draw(st.sampled_from(["egress", "ingress"])),
        "source": f"{address(source[0])}-{address(source[1])}",
        "destination": f"{address(destination[0])}-{address(destination[1])}",
        "protocol": "tcp",
        "ports": f"{ports[0]}-{ports[1]}",
        "source_pools": senders,
        "destination_pools": senders if scope == "same_node" else draw(names),
        "decided_by": None,
        "witness": None,
    }


@st.composite
def clusters(draw: st.DrawFn, scope: str) -> dict[str, Any]:
    denied = draw(st.lists(boxes(scope), max_size=3))
    undecided = draw(st.lists(boxes(scope), max_size=3))
    verdict = "partial" if denied else "unknown" if undecided else "allowed"
    kept = draw(st.sets(st.sampled_from(["a", "b"]), min_size=1))
    block = {"ipv4": draw(st.sampled_from([31, 30])), "ipv6": None}
    return {
        "name": "//container.googleapis.com/projects/p/locations/l/clusters/c",
        "project": "p",
        "location": "l",
        "pools": [
            {"name": name, "pod_ranges": [RANGES[name]], "node_block": block, "resolved": True}
            for name in sorted(kept)
        ],
        "traffic": {
            scope: {
                "verdict": verdict,
                "by_protocol": {"tcp": verdict},
                "denied": denied,
                "undecided": undecided,
                "reasons": [],
            }
        },
    }


def span(text: str) -> range:
    low, _, high = text.partition("-")
    first, last = (int(one.rsplit(".", 1)[-1]) for one in (low, high or low))
    return range(first, last + 1)


def packets(box: dict[str, Any], scope: str, shift: int) -> set[Packet]:
    if "/" in box["source"] or "/" in box["destination"]:
        box = {**box, **{side: spelled(box[side]) for side in ("source", "destination")}}
    low, _, high = box["ports"].partition("-")
    found = set(
        product(
            span(box["source"]),
            span(box["destination"]),
            range(int(low), int(high or low) + 1),
            box["source_pools"],
            box["destination_pools"],
        )
    )
    if scope == "any_node":
        return found
    return {one for one in found if one[3] == one[4] and one[0] >> shift == one[1] >> shift}


def spelled(text: str) -> str:
    if "/" not in text:
        return text
    base, _, prefix = text.partition("/")
    first = int(base.rsplit(".", 1)[-1])
    return f"{address(first)}-{address(first + (1 << (32 - int(prefix))) - 1)}"


@pytest.mark.parametrize("scope", ["same_node", "any_node"])
@given(data=st.data())
def test_packets_are_those_whose_fate_changed(scope: str, data: st.DataObject) -> None:
    """Every packet of a tiny cluster, one by one, against the sets of boxes."""
    old, new = data.draw(clusters(scope)), data.draw(clusters(scope))
    shifts = [32 - one["pools"][0]["node_block"]["ipv4"] for one in (old, new)]
    same_blocks = shifts[0] == shifts[1] or scope == "any_node"

    def union(one: dict[str, Any], name: str, shift: int) -> set[Packet]:
        return {p for box in one["traffic"][scope][name] for p in packets(box, scope, shift)}

    def is_pod(packet: Packet, one: dict[str, Any]) -> bool:
        there = {pool["name"]: POOLS[pool["name"]] for pool in one["pools"]}
        return all(
            pool in there and there[pool][0] <= number <= there[pool][1]
            for number, pool in ((packet[0], packet[3]), (packet[1], packet[4]))
        )

    # Pools that neither report lists have no blocks that could differ, or be told.
    listed = {pool["name"] for one in (old, new) for pool in one["pools"]}
    stays = {pool["name"] for pool in old["pools"]} & {pool["name"] for pool in new["pools"]}
    found = diff._traffic(old, new, scope, "report")
    denied_then, denied_now = union(old, "denied", shifts[0]), union(new, "denied", shifts[1])
    open_then = union(old, "undecided", shifts[0]) - denied_then
    open_now = union(new, "undecided", shifts[1]) - denied_now
    if scope == "same_node":
        # What is compared are pools that both know, with blocks of one size; the others are new or gone.
        if not same_blocks or listed != stays:
            return
        unlisted = {"a", "b"} - listed
        keep = lambda s: {p for p in s if p[3] not in unlisted}  # noqa: E731
        denied_then, denied_now, open_then, open_now = map(
            keep, (denied_then, denied_now, open_then, open_now)
        )

    def drawn(name: str) -> set[Packet]:
        told = getattr(found, name) if found is not None else ()
        everything = {
            p
            for box in told
            for p in packets(
                {
                    "source": box.source,
                    "destination": box.destination,
                    "ports": box.ports,
                    "source_pools": box.source_pools,
                    "destination_pools": box.destination_pools,
                },
                scope,
                shifts[1],
            )
        }
        if scope == "same_node":
            return {p for p in everything if p[3] in listed}
        return everything

    assert drawn("newly_denied") == denied_now - denied_then
    tells_then = old["traffic"][scope]["by_protocol"]["tcp"] != "unknown" or bool(open_then | denied_then)
    if tells_then:
        assert drawn("newly_undecided") == open_now - open_then
    assert drawn("newly_permitted") == {
        p for p in (denied_then | open_then) - denied_now - open_now if is_pod(p, new)
    }


def test_packets_are_not_permitted_where_nothing_is_known_any_more() -> None:
    def one(verdict: str, denied: list[Any], pools: Any) -> dict[str, Any]:
        return {
            "name": "//container.googleapis.com/projects/p/locations/l/clusters/c",
            "project": "p",
            "location": "l",
            "pools": pools,
            "traffic": {
                "same_node": {
                    "verdict": verdict,
                    "by_protocol": {} if pools is None else {"tcp": verdict},
                    "denied": denied,
                    "undecided": [],
                    "reasons": ["the asset carries no data"],
                }
            },
        }

    pools = [{"name": "a", "pod_ranges": ["10.0.0.0/30"], "node_block": {"ipv4": 31, "ipv6": None}}]
    box = {
        "direction": "egress", "source": "10.0.0.0/30", "destination": "10.0.0.0/30", "protocol": "tcp",
        "ports": "80", "source_pools": ["a"], "destination_pools": ["a"],
        "decided_by": {"rule": "deny"}, "witness": None,
    }  # fmt: skip
    before = one("partial", [box], pools)
    for after in (one("unknown", [], None), one("unknown", [], pools)):
        found = diff._traffic(before, after, "same_node", "report")
        assert found is not None
        assert (found.newly_permitted, found.effect) == ((), "undecided")
        assert found.reasons == ("the asset carries no data",)
        back = diff._traffic(after, before, "same_node", "report")
        assert back is not None
        assert [packet.was for packet in back.newly_denied] == ["undecided"]
    found = diff._traffic(before, one("allowed", [], pools), "same_node", "report")
    assert found is not None
    (permitted,) = found.newly_permitted
    assert (permitted.source, permitted.ports, permitted.was) == ("10.0.0.0/30", "80", "denied")
    assert permitted.witness == {
        "source": "10.0.0.0", "destination": "10.0.0.1", "protocol": "tcp", "port": 80,
        "source_pool": "a", "destination_pool": "a",
    }  # fmt: skip


def test_pairs_on_different_nodes_are_not_told_of_as_packets_on_one() -> None:
    def one(source: str, destination: str) -> dict[str, Any]:
        return {
            "name": "//container.googleapis.com/projects/p/locations/l/clusters/c",
            "project": "p",
            "location": "l",
            "pools": [{"name": "a", "pod_ranges": ["10.0.0.0/28"], "node_block": {"ipv4": 30, "ipv6": None}}],
            "traffic": {
                "same_node": {
                    "verdict": "partial", "by_protocol": {"tcp": "partial"}, "undecided": [], "reasons": [],
                    "denied": [
                        {
                            "direction": "egress", "source": source, "destination": destination,
                            "protocol": "tcp", "ports": None, "source_pools": ["a"],
                            "destination_pools": ["a"], "decided_by": {"rule": "deny"}, "witness": None,
                        }
                    ],
                }
            },
        }  # fmt: skip

    found = diff._traffic(
        one("10.0.0.0/29", "10.0.0.0/29"), one("10.0.0.0/28", "10.0.0.0/28"), "same_node", ""
    )
    assert found is not None
    assert [(packet.source, packet.destination) for packet in found.newly_denied] == [
        ("10.0.0.8/29", "10.0.0.0/28"),
    ]
    assert found.newly_denied[0].witness is not None
    assert found.newly_denied[0].witness["source"] == "10.0.0.8"
    assert found.newly_denied[0].witness["destination"] == "10.0.0.9"


# --- formats --------------------------------------------------------------------------------------------

HOSTILE = "<script>alert(1)</script> | `a` [x](javascript:alert(1)) \u202e\x1b[31m"


def test_nothing_in_a_report_becomes_markup_or_steers_the_terminal(tmp_path: Path) -> None:
    now = scan([cluster(HOSTILE), OTHER])
    found = compared(tmp_path, scan(THEN), now)
    text = diff_formats.text(found)
    assert all(char.isprintable() or char == "\n" for char in text)
    html = MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(
        b"".join(diff_formats.markdown(found)).decode()
    )
    assert "<script" not in html
    assert 'href="javascript' not in html
    assert html.count("<h1>") == 1


def test_the_text_says_what_a_reader_needs(tmp_path: Path) -> None:
    found = compared(tmp_path, scan(THEN), scan([cluster(on=True), cluster("other", "shop")]))
    text = diff_formats.text(found)
    assert f"- {RULE}: pass -> fail (medium)" in text
    assert f"+ {RULE}: fail (medium) -> pass" in text
    assert text.index("- intranode") < text.index("+ intranode")
    assert "worse" in diff_formats.outcome(found)
    assert make.ORGANIZATION in text
