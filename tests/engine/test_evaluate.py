from __future__ import annotations

import hashlib
import shlex
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor import bundled
from auditor.engine import evaluate
from auditor.engine.evaluate import Judge
from auditor.engine.load import LoadedPack, load_pack
from auditor.engine.result import Result, Severity, Verdict, fingerprint
from auditor.model.evidence import Evidence, Unknown
from auditor.model.facts import (
    ClusterFacts,
    ClusterNetwork,
    FlowLogs,
    GkeRules,
    Masquerade,
    NetworkFacts,
    PodRules,
    PoolVersion,
    StaleRule,
    SubnetFlowLogs,
    Uncovered,
    Versions,
    Visibility,
    WindowsPools,
)
from tests.engine.builders import DATA, NAME, REF, facts, pack, rule, unknown_visibility

if TYPE_CHECKING:
    from pathlib import Path

BUNDLED = load_pack(bundled.rules() / "intranode-visibility")
JUDGE = Judge([BUNDLED])


def said(
    loaded: LoadedPack, data: Any = DATA, about: ClusterFacts | None = None, **options: Any
) -> list[Result]:
    return Judge([loaded], **options).cluster(REF, data, about if about is not None else facts())


def one(loaded: LoadedPack, data: Any = DATA, about: ClusterFacts | None = None, **options: Any) -> Result:
    (result,) = said(loaded, data, about, **options)
    return result


CHECKS = """\
checks:
  - expect: {expect}
    message: "Broken on {{resource.short_name}} ({{versions.control_plane}})."
"""


def test_a_rule_that_holds_passes_with_its_sentence_and_evidence(tmp_path: Path) -> None:
    result = one(pack(tmp_path / "p", rule(passing="passing: All is well.\nevidence: [{path: visibility}]")))
    assert (result.verdict, result.severity, result.message) == (Verdict.PASS, Severity.HIGH, "All is well.")
    assert result.evidence is facts().visibility.evidence or result.evidence == facts().visibility.evidence
    assert (result.reasons, result.remediation, result.subject) == ((), None, None)


def test_a_failure_says_what_where_and_how_to_mend_it(tmp_path: Path) -> None:
    text = rule(
        checks=CHECKS.format(expect="visibility.state == 'off'"),
        passing="""\
        passing: ok
        evidence: [{path: visibility.state, expected: "off"}, {path: cluster.networkConfig}]
        """,
        remediation="""\
        remediation:
          text: Do it.
          cost: It costs.
          commands: ["fix {resource.short_name} --in={resource.location}"]
        """,
    )
    result = one(pack(tmp_path / "p", text))
    assert (result.verdict, result.message) == (Verdict.FAIL, "Broken on checkout (1.33.5-gke.100).")
    assert result.evidence == (
        Evidence(NAME, "visibility.state", "on", "off"),
        Evidence(NAME, "networkConfig", {"enableIntraNodeVisibility": True}, None),
    )
    assert result.remediation is not None
    assert result.remediation.text == "Do it. It costs."
    assert result.remediation.commands == ("fix checkout --in=europe-west1",)


def test_the_fingerprint_is_of_rule_resource_and_subject() -> None:
    text = f"gke-auditor/finding/v1\nmy-rule\n{NAME}\npool-a"
    assert fingerprint("my-rule", NAME, "pool-a") == hashlib.sha256(text.encode()).hexdigest()
    assert (
        fingerprint("my-rule", NAME, None)
        == hashlib.sha256(f"gke-auditor/finding/v1\nmy-rule\n{NAME}\n".encode()).hexdigest()
    )


def test_results_carry_that_fingerprint(tmp_path: Path) -> None:
    each = """\
    checks:
      - {each: versions.pools, as: pool, subject: pool.name, expect: "false", message: m}
    """
    for result in said(pack(tmp_path / "p", rule(checks=each))) + JUDGE.cluster(REF, None, None):
        assert result.fingerprint == fingerprint(result.rule, NAME, result.subject)


@pytest.mark.parametrize("status", ["RUNNING", "RECONCILING", "DEGRADED", None, ""])
def test_a_running_cluster_is_judged_and_an_absent_status_counts_as_running(status: str | None) -> None:
    results = JUDGE.cluster(REF, {**DATA, "status": status}, facts())
    others = [one.rule for one in results if one.verdict is not Verdict.PASS]
    assert others == ["same-node-traffic-would-be-denied"], "which asks about clusters with visibility off"


@pytest.mark.parametrize("status", ["STATUS_UNSPECIFIED", "PROVISIONING", "STOPPING", "ERROR", "running"])
def test_a_cluster_in_another_state_is_not_judged(status: str) -> None:
    results = JUDGE.cluster(REF, {**DATA, "status": status}, facts(visibility=unknown_visibility()))
    assert {result.verdict for result in results} == {Verdict.NOT_APPLICABLE}
    assert all(status in result.message for result in results)


@pytest.mark.parametrize(
    ("data", "about"), [(None, None), (None, facts()), (DATA, None), ({"status": 5}, facts())]
)
def test_without_data_everything_is_unknown_and_says_why(data: Any, about: ClusterFacts | None) -> None:
    results = JUDGE.cluster(REF, data, about)
    assert {result.verdict for result in results} == {Verdict.UNKNOWN}
    assert all("--content-type=resource" in result.reasons[0] for result in results)
    assert len(results) == len([one for one in JUDGE.rules if one.applies_to.kind == "cluster"])


def test_an_unknown_fact_makes_a_rule_unknown_with_the_fact_s_own_reason(tmp_path: Path) -> None:
    result = one(pack(tmp_path / "p", rule()), about=facts(visibility=unknown_visibility()))
    assert result.verdict is Verdict.UNKNOWN
    assert result.message == "It is not known whether this holds: All is well."
    assert result.reasons == ("networkConfig is absent. — export it again",)


def test_an_unknown_fact_that_does_not_matter_changes_nothing(tmp_path: Path) -> None:
    about = facts(visibility=unknown_visibility())
    either = pack(tmp_path / "p", rule(expect="visibility.state == 'on' || network.mtu == 1460"))
    assert one(either, about=about).verdict is Verdict.PASS
    both = pack(tmp_path / "p", rule(expect="visibility.state == 'on' && network.mtu == 1500"))
    assert one(both, about=about).verdict is Verdict.FAIL


def test_the_reasons_are_those_of_what_is_missing_each_once(tmp_path: Path) -> None:
    masked = Masquerade(
        "x", None, None, (),
        (Unknown("masquerade.uncovered", "None.", "ask kubectl"), Unknown("masquerade.basis", "B", "b")),
    )  # fmt: skip
    about = facts(visibility=unknown_visibility(), masquerade=masked)
    loaded = pack(
        tmp_path / "p",
        rule(
            expect="visibility.state == 'on' && visibility.state != 'off' && masquerade.uncovered.size() == 0"
        ),
    )
    assert one(loaded, about=about).reasons == (
        "networkConfig is absent. — export it again",
        "None. — ask kubectl",
    )


def test_a_missing_field_without_a_reason_of_its_own_is_named(tmp_path: Path) -> None:
    loaded = pack(tmp_path / "p", rule(expect="cluster.networkConfig.enableIntraNodeVisibility"))
    result = one(loaded, data={**DATA, "networkConfig": "?"})
    assert result.verdict is Verdict.UNKNOWN
    assert "`networkConfig` is missing" in result.reasons[0]
    bare = pack(tmp_path / "q", rule(expect="network.mtu == 1"))
    about = facts(network=ClusterNetwork(None, None, None, None, None, ()))
    assert one(bare, about=about).reasons == ("`network.mtu` is not known.",)


def test_an_expression_that_fails_on_known_values_is_unknown_with_cel_s_words(tmp_path: Path) -> None:
    loaded = pack(tmp_path / "p", rule(expect="isAtLeast(visibility.basis, '1.15')"))
    result = one(loaded)
    assert result.verdict is Verdict.UNKNOWN
    assert "'field' is not a GKE version" in result.reasons[0]


def test_where_a_rule_does_not_apply_it_says_why_and_where_that_is_unknown_so_is_the_rule(
    tmp_path: Path,
) -> None:
    applies = "applies_to: {kind: cluster, when: visibility.state == 'off', otherwise: Not here.}"
    loaded = pack(tmp_path / "p", rule(applies_to=applies, expect="network.mtu == 1"))
    assert one(loaded).verdict is Verdict.NOT_APPLICABLE
    assert one(loaded).message == "Not here."
    assert one(loaded, about=facts(visibility=unknown_visibility())).verdict is Verdict.UNKNOWN
    off = replace(facts().visibility, state="off")
    assert one(loaded, about=facts(visibility=off)).verdict is Verdict.FAIL


NOT_LOOKED_AT = Masquerade(
    None, None, None, (),
    (Unknown("masquerade", "The ConfigMap was not read.", "ask kubectl"),),
)  # fmt: skip
WINDOWS = WindowsPools(("win",), (Evidence(NAME, "nodePools[0].config.imageType", "WINDOWS_LTSC"),))


@pytest.mark.parametrize(
    "expect",
    [
        "readiness.state in ['ready', 'working']",
        "readiness.state != 'degraded'",
        "readiness.state == 'unknown'",
        "readiness.reasons.size() == 0",
        "!readiness.reasons.exists(one, one.contains('dropped'))",
        "readiness.reasons == ['']",
    ],
)
def test_a_rule_that_reads_a_readiness_that_is_unknown_is_unknown_for_its_reasons(
    tmp_path: Path, expect: str
) -> None:
    result = one(pack(tmp_path / "p", rule(expect=f'"{expect}"')), about=facts(masquerade=NOT_LOOKED_AT))
    assert result.verdict is Verdict.UNKNOWN
    assert result.reasons == ("The ConfigMap was not read. — ask kubectl",)


def test_a_rule_about_readiness_passes_and_fails_by_its_word_and_shows_what_that_rests_on(
    tmp_path: Path,
) -> None:
    text = rule(
        checks=CHECKS.replace("Broken on", "It is {{readiness.state}}: {{readiness.reasons}}").format(
            expect="readiness.state in ['ready', 'working']"
        ),
        passing="passing: ok\nevidence: [{path: readiness}]",
    )
    loaded = pack(tmp_path / "p", text)
    assert one(loaded).verdict is Verdict.PASS
    off = facts(visibility=replace(facts().visibility, state="off"))
    assert one(loaded, about=off).verdict is Verdict.PASS
    result = one(loaded, about=facts(windows=WINDOWS))
    assert result.verdict is Verdict.FAIL
    assert result.message.startswith("It is unsupported: Node pool win runs Windows Server.")
    assert WINDOWS.evidence[0] in result.evidence


def test_a_readiness_that_is_unknown_matters_only_where_it_decides(tmp_path: Path) -> None:
    about = facts(masquerade=NOT_LOOKED_AT)
    either = pack(tmp_path / "p", rule(expect="readiness.state == 'ready' || network.mtu == 1460"))
    assert one(either, about=about).verdict is Verdict.PASS
    both = pack(tmp_path / "p", rule(expect="readiness.state == 'ready' && network.mtu == 1500"))
    assert one(both, about=about).verdict is Verdict.FAIL


def test_why_a_readiness_is_unknown_is_no_element_of_its_reasons(tmp_path: Path) -> None:
    each = """\
    checks:
      - {each: readiness.reasons, as: reason, subject: reason, expect: "false", message: "{reason}"}
    """
    loaded = pack(tmp_path / "p", rule(checks=each))
    found = said(loaded, about=facts(masquerade=NOT_LOOKED_AT))
    assert [(result.verdict, result.subject) for result in found] == [(Verdict.UNKNOWN, None)]
    found = said(loaded, about=facts(windows=WINDOWS))
    assert [result.subject for result in found] == ["Node pool win runs Windows Server."]


POOLS = """\
checks:
  - each: versions.pools
    as: pool
    subject: pool.name
    expect: isAtLeast(pool.version, "1.20")
    message: "Pool {pool.name} has {pool.version}."
    lowered: {to: low, when: visibility.state == "off"}
"""


def pools(*versions: str | None) -> Versions:
    return Versions("1.30", tuple(PoolVersion(f"p{n}", one) for n, one in enumerate(versions)), ())


def test_each_element_that_fails_or_is_undecided_is_a_result_of_its_own(tmp_path: Path) -> None:
    loaded = pack(tmp_path / "p", rule(checks=POOLS))
    results = said(loaded, about=facts(versions=pools("1.30", "1.19", None, "1.18")))
    assert [(one.subject, one.verdict) for one in results] == [
        ("p1", Verdict.FAIL),
        ("p2", Verdict.UNKNOWN),
        ("p3", Verdict.FAIL),
    ]
    assert results[0].message == "Pool p1 has 1.19."
    assert results[1].reasons == ("`versions.pools.version` is not known.",)
    passing = said(loaded, about=facts(versions=pools("1.30", "1.31")))
    assert [(one.subject, one.verdict) for one in passing] == [(None, Verdict.PASS)]


def test_an_unknown_list_is_one_unknown_about_the_whole(tmp_path: Path) -> None:
    loaded = pack(tmp_path / "p", rule(checks=POOLS))
    why = Unknown("versions.pools", "No pool was read.", "export NodePool")
    (result,) = said(loaded, about=facts(versions=Versions("1.30", None, (), (why,))))
    assert (result.verdict, result.subject) == (Verdict.UNKNOWN, None)
    assert result.reasons == ("No pool was read. — export NodePool",)


def test_two_elements_of_one_name_stay_two_results(tmp_path: Path) -> None:
    loaded = pack(tmp_path / "p", rule(checks=POOLS))
    twins = Versions("1.30", (PoolVersion("a", "1.1"), PoolVersion("a", "1.2"), PoolVersion("", "1.3")), ())
    results = said(loaded, about=facts(versions=twins))
    assert [one.subject for one in results] == ["a", "a (2)", "#3"]
    assert len({one.fingerprint for one in results}) == 3


def test_a_milder_situation_lowers_the_severity_and_an_unknown_one_does_not(tmp_path: Path) -> None:
    loaded = pack(tmp_path / "p", rule(checks=POOLS))
    old = pools("1.1")
    off = replace(facts().visibility, state="off")
    assert said(loaded, about=facts(versions=old))[0].severity is Severity.HIGH
    assert said(loaded, about=facts(versions=old, visibility=off))[0].severity is Severity.LOW
    assert (
        said(loaded, about=facts(versions=old, visibility=unknown_visibility()))[0].severity is Severity.HIGH
    )
    lower = said(loaded, about=facts(versions=old, visibility=off), severities={"my-rule": Severity.INFO})
    assert lower[0].severity is Severity.INFO


TWO = """\
checks:
  - {expect: visibility.state == "on", message: First.}
  - {expect: network.mtu == 1500, message: Second., when: network.shared}
  - {expect: network.mtu == 1460, message: Third.}
"""


def test_of_several_checks_a_failure_outranks_an_unknown_and_an_unknown_a_pass(tmp_path: Path) -> None:
    loaded = pack(tmp_path / "p", rule(checks=TWO))
    assert one(loaded).verdict is Verdict.PASS
    unknown = facts(visibility=unknown_visibility())
    assert one(loaded, about=unknown).verdict is Verdict.UNKNOWN
    shared = replace(facts().network, shared=True)
    result = one(loaded, about=replace(unknown, network=shared))
    assert (result.verdict, result.message, result.reasons) == (Verdict.FAIL, "Second.", ())
    both = one(loaded, about=facts(network=replace(shared, mtu=1300)))
    assert both.message == "Second. Third."


def test_a_check_whose_condition_is_unknown_matters_only_if_it_would_fail(tmp_path: Path) -> None:
    loaded = pack(tmp_path / "p", rule(checks=TWO))
    undecided = replace(facts().network, shared=None)
    assert one(loaded, about=facts(network=undecided)).verdict is Verdict.UNKNOWN
    fine = """\
    checks:
      - {expect: network.mtu == 1460, message: m, when: network.shared}
    """
    assert (
        one(pack(tmp_path / "q", rule(checks=fine)), about=facts(network=undecided)).verdict is Verdict.PASS
    )


def test_an_unknown_in_a_message_reads_unknown(tmp_path: Path) -> None:
    loaded = pack(tmp_path / "p", rule(checks=CHECKS.format(expect="visibility.state == 'off'")))
    about = facts(versions=Versions(None, None, ()))
    assert one(loaded, about=about).message == "Broken on checkout (unknown)."


HOSTILE = [
    "a b",
    "$(reboot)",
    "`id`",
    "'; rm -rf / #",
    "a\nb",
    "\u202eevil",
    "--flag",
    "-x",
    "{resource.name}",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_values_in_commands_are_quoted_and_never_become_options(tmp_path: Path, name: str) -> None:
    fix = "remediation: {text: t, commands: ['fix {pool.name} --in={pool.name}']}"
    loaded = pack(tmp_path / "p", rule(checks=POOLS, remediation=fix))
    (result,) = said(loaded, about=facts(versions=Versions("1.30", (PoolVersion(name, "1.1"),), ())))
    assert result.remediation is not None
    (command,) = result.remediation.commands
    if name.startswith("-"):
        assert command.startswith("# left out")
        assert "\n" not in command
    else:
        assert shlex.split(command) == ["fix", name, f"--in={name}"]


def test_more_elements_than_a_cel_loop_may_see_are_judged_one_by_one(tmp_path: Path) -> None:
    loaded = pack(tmp_path / "p", rule(checks=POOLS))
    many = [("1.30" if n != 11_000 else "1.1") for n in range(12_000)]
    results = said(loaded, about=facts(versions=pools(*many)))
    assert [(one.subject, one.verdict) for one in results] == [("p11000", Verdict.FAIL)]
    loop = pack(tmp_path / "q", rule(expect="versions.pools.all(p, p.version != '')"))
    result = one(loop, about=facts(versions=pools(*many)))
    assert result.verdict is Verdict.UNKNOWN
    assert "Iteration budget" in result.reasons[0]


def test_parameters_are_the_pack_s_unless_replaced(tmp_path: Path) -> None:
    loaded = pack(tmp_path / "p", rule(expect="isAtLeast(versions.control_plane, org.minimum_version)"))
    assert one(loaded).verdict is Verdict.PASS
    assert one(loaded, parameters={"minimum_version": "1.99"}).verdict is Verdict.FAIL


def test_a_selection_judges_only_what_was_asked_for() -> None:
    judge = Judge([BUNDLED], only={"windows-node-pool"})
    assert [one.id for one in judge.rules] == ["windows-node-pool"]
    assert [one.rule for one in judge.cluster(REF, DATA, facts())] == ["windows-node-pool"]


def test_network_rules_judge_networks() -> None:
    ref = replace(REF, name="//compute.googleapis.com/projects/shop/global/networks/vpc")
    stale = StaleRule("//f", "gke-old-12345678-all", "old", "12345678")
    (_, result) = JUDGE.network(ref, NetworkFacts(GkeRules(1, (stale,), ()), PodRules(1, (), ())))
    assert (result.rule, result.subject, result.verdict) == (
        "stale-gke-firewall-rule",
        stale.name,
        Verdict.FAIL,
    )
    (_, result) = JUDGE.network(ref, NetworkFacts(GkeRules(0, (), ()), PodRules(0, (), ())))
    assert result.verdict is Verdict.NOT_APPLICABLE


WORDS = st.sampled_from(
    ["on", "off", "1.14.1", "1.20.5-gke.100", "1.33.5", "", "latest", "EXCLUDE_ALL_METADATA", "\ud800é"]
)
MAYBE = st.none() | WORDS


@st.composite
def any_facts(draw: st.DrawFn) -> ClusterFacts:
    pools = st.none() | st.lists(st.builds(PoolVersion, WORDS, MAYBE), max_size=3).map(tuple)
    gaps = st.lists(
        st.builds(Uncovered, WORDS, st.lists(WORDS, max_size=2).map(tuple), WORDS, st.just(())), max_size=2
    )
    subnets = st.lists(
        st.builds(
            SubnetFlowLogs, WORDS, WORDS, WORDS, WORDS, st.just(()), st.none() | st.booleans(),
            st.none() | st.sampled_from([0.0, 0.5, 1.0]), MAYBE, MAYBE, MAYBE,
        ),
        max_size=2,
    )  # fmt: skip
    return facts(
        visibility=Visibility(draw(st.sampled_from(["on", "off", None])), "field", None, ()),
        versions=Versions(draw(MAYBE), draw(pools), ()),
        masquerade=Masquerade("b", None, draw(st.none() | gaps.map(tuple)), ()),
        flow_logs=FlowLogs(draw(st.none() | subnets.map(tuple)), ()),
        network=ClusterNetwork("n", "p", None, draw(st.none() | st.sampled_from([1460, 1500])), None, ()),
        windows=WindowsPools(draw(st.none() | st.lists(WORDS, max_size=2).map(tuple)), ()),
    )


INCOMPLETE = {
    "windows": lambda items, gaps: facts(windows=WindowsPools(tuple(f"w{n}" for n in items), (), gaps)),
    "masquerade": lambda items, gaps: facts(
        masquerade=Masquerade(
            "b", None, tuple(Uncovered(f"10.{n}.0.0/16", ("x",), "o", ()) for n in items), (), gaps
        )
    ),
    "versions": lambda items, gaps: facts(
        versions=Versions("1.30", tuple(PoolVersion(f"p{n}", f"1.{n}") for n in items), (), gaps)
    ),
}
LISTS = {"windows": "windows.pools", "masquerade": "masquerade.uncovered", "versions": "versions.pools"}


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(LISTS)), st.lists(st.integers(10, 20), unique=True), st.lists(st.integers(10, 20))
)
def test_a_list_that_may_lack_elements_never_says_that_all_is_well(
    name: str, items: list[int], others: list[int]
) -> None:
    gap = Unknown(LISTS[name], "One could not be read.", "read it")
    judge = Judge([BUNDLED])
    partial = judge.cluster(REF, DATA, INCOMPLETE[name](items, (gap,)))
    whole = judge.cluster(REF, DATA, INCOMPLETE[name]([*items, *others], ()))
    after = {(one.rule, one.subject): one.verdict for one in whole}
    worst = verdicts(whole)
    for result in partial:
        if result.verdict is Verdict.FAIL:
            assert after[(result.rule, result.subject)] is Verdict.FAIL
        elif result.verdict is not Verdict.UNKNOWN:
            assert worst[result.rule] is result.verdict
    assert any("One could not be read." in reason for one in partial for reason in one.reasons)


def verdicts(results: list[Result]) -> dict[str, Verdict]:
    order = [Verdict.NOT_APPLICABLE, Verdict.PASS, Verdict.UNKNOWN, Verdict.FAIL]
    found: dict[str, Verdict] = {}
    for result in results:
        worse = found.get(result.rule)
        if worse is None or order.index(result.verdict) > order.index(worse):
            found[result.rule] = result.verdict
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(any_facts(), any_facts())
def test_learning_what_was_unknown_never_changes_an_answer(known: ClusterFacts, more: ClusterFacts) -> None:
    before = verdicts(JUDGE.cluster(REF, DATA, known))
    after = verdicts(JUDGE.cluster(REF, DATA, filled(known, more)))
    for name, verdict in before.items():
        assert verdict is Verdict.UNKNOWN or after[name] is verdict, name


def filled(known: Any, more: Any) -> Any:
    """What is known, with what is not known taken from elsewhere."""
    if known is None:
        return complete(more)
    if is_dataclass(known) and not isinstance(known, type):
        inner = {
            one.name: filled(getattr(known, one.name), getattr(more, one.name, None)) for one in fields(known)
        }
        return replace(known, **inner)
    if isinstance(known, tuple):
        return tuple(filled(one, None) if one is not None else one for one in known)
    return known


def complete(value: Any) -> Any:
    return filled(value, None) if value is not None else None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(any_facts())
def test_what_a_judge_remembers_is_what_it_would_say_anew(about: ClusterFacts) -> None:
    anew = Judge([BUNDLED]).cluster(REF, DATA, about)
    assert JUDGE.cluster(REF, DATA, about) == anew
    for result in anew:
        assert result.message
        assert (result.verdict is Verdict.UNKNOWN) == bool(result.reasons)
        assert (result.verdict is Verdict.FAIL) == (result.remediation is not None)
    assert len({(one.rule, one.subject) for one in anew}) == len(anew)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(any_facts())
def test_elements_that_are_judged_together_are_judged_as_they_are_one_by_one(about: ClusterFacts) -> None:
    together = Judge([BUNDLED]).cluster(REF, DATA, about)
    with patch.object(evaluate, "_outline_of_elements", return_value=None):
        assert Judge([BUNDLED]).cluster(REF, DATA, about) == together


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["status", "autopilot", "nodePools", "networkConfig", "name"]), JSON))
def test_any_json_as_a_cluster_gives_a_result_of_every_rule(data: dict[str, Any]) -> None:
    results = JUDGE.cluster(REF, data, facts())
    assert {one.rule for one in results} == {
        one.id for one in JUDGE.rules if one.applies_to.kind == "cluster"
    }
