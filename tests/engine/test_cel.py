from __future__ import annotations

import pytest

from auditor.engine import descriptors, schema
from auditor.engine.cel import Environment, ExpressionError, Wanted, is_at_least, is_between, shown

ENVIRONMENT = Environment("cluster", {"minimum_version": "1.15", "share": 0.5, "nested": {"deep": [1]}})


def refused(text: str, wanted: Wanted = "bool") -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        ENVIRONMENT.compile(text, wanted)
    return caught.value


@pytest.mark.parametrize(
    ("text", "words", "hint", "at"),
    [
        (
            "cluster.networkConfig.enableIntraNodeVisibilty",
            "no field `enableIntraNodeVisibilty` in NetworkConfig",
            "did you mean `enableIntraNodeVisibility`?",
            "enableIntraNodeVisibilty",
        ),
        (
            "cluster.nodePools.all(p, p.config.imagetype == '')",
            "no field `imagetype` in NodeConfig",
            "did you mean `imageType`?",
            "imagetype",
        ),
        ("visibility.stat == 'on'", "no field `stat` in Visibility", "did you mean `state`?", "stat"),
        (
            "versions.pools.exists(p, p.vers == '1')",
            "no field `vers` in PoolVersion",
            "did you mean `version`?",
            "vers",
        ),
        ("visibility.evidence.size() == 0", "no field `evidence`", "there are: basis", "evidence"),
        (
            "org.minimum_versoin == ''",
            "no field `minimum_versoin`",
            "did you mean `minimum_version`?",
            "minimum_versoin",
        ),
        ("org.nested.depe == 1", "no field `depe`", "did you mean `deep`?", "depe"),
        (
            "visibilty.state == 'on'",
            "no variable or function `visibilty`",
            "did you mean `visibility`?",
            "visibilty",
        ),
        (
            "isAtleast(versions.control_plane, '1')",
            "no variable or function `isAtleast`",
            "did you mean `isAtLeast`?",
            "(",
        ),
        ("isAtLeast(1, '1.15')", "cannot be applied to (int, string)", "isAtLeast(version", "("),
        ("visibility.state ==== 'on'", "syntax error", "CEL", "== 'on'"),
        ("visibility.state == ", "end of the expression", "CEL", ""),
        ("visibility.state", "this must give true or false, and gives STRING", "true or false", "visibility"),
        ("isAtLeast(versions.control_plane, 'latest')", "`latest` is not a GKE version", "1.15", "'latest'"),
        (
            "has(cluster.autopilot.enabled)",
            "`enabled` of Autopilot is never missing: the API leaves it out when it is false",
            "read the field itself",
            None,
        ),
        (
            "cluster.?autopilot.?enabled.orValue(true)",
            "`autopilot` of Cluster is never missing",
            "read the field",
            None,
        ),
        ("visibility.state != 'of'", "`visibility.state` is never `of`", "did you mean `off`?", "'of'"),
        (
            "cluster.releaseChannel.channel != 'REGULER'",
            "`cluster.releaseChannel.channel` is never `REGULER`",
            "did you mean `REGULAR`?",
            "'REGULER'",
        ),
        (
            "cluster.nodePools.exists(p, 'windows' == p.config.sandboxConfig.type)",
            "`cluster.nodePools.config.sandboxConfig.type` is never `windows`",
            "there are: GVISOR, UNSPECIFIED",
            "'windows'",
        ),
        (
            "'KUBELET' in cluster.loggingConfig.componentConfig.enableComponents",
            "`cluster.loggingConfig.componentConfig.enableComponents` is never `KUBELET`",
            "SYSTEM_COMPONENTS",
            "'KUBELET'",
        ),
        (
            "cluster.networkConfig.datapathProvider == ''",
            "`cluster.networkConfig.datapathProvider` is never empty",
            "there are: ADVANCED_DATAPATH, DATAPATH_PROVIDER_UNSPECIFIED, LEGACY_DATAPATH",
            "''",
        ),
        ("'Off' == visibility.state", "`visibility.state` is never `Off`", "did you mean `off`?", "'Off'"),
        (
            "!(readiness.state in ['blocked', 'degarded'])",
            "`readiness.state` is never `degarded`",
            "did you mean `degraded`?",
            "'degarded'",
        ),
        (
            "traffic.same_node.by_protocol['tcp'] != 'forbidden'",
            "`traffic.same_node.by_protocol` is never `forbidden`",
            "there are: allowed, denied, partial",
            "'forbidden'",
        ),
        (
            "traffic.same_node.by_protocol.tcp != 'forbidden'",
            "`traffic.same_node.by_protocol` is never `forbidden`",
            "allowed",
            "'forbidden'",
        ),
        (
            "traffic.same_node.repairs.exists(r, traffic.any_node.verdict == 'denid')",
            "`traffic.any_node.verdict` is never `denid`",
            "did you mean `denied`?",
            "'denid'",
        ),
        ("1 + true == 2", "`+` cannot be applied to (int, bool)", "CEL", "+"),
        ("(" * 500 + "true" + ")" * 500, "recursion limit", "CEL", None),
        ("!" * 200_000 + "true", "codepoint limit", "CEL", None),
    ],
)
def test_a_mistake_is_named_where_it_is_with_a_way_out(
    text: str, words: str, hint: str, at: str | None
) -> None:
    error = refused(text)
    assert words in error.message
    assert hint in error.hint
    if at is not None:
        assert text[error.offset :].startswith(at)


@pytest.mark.parametrize(
    "text",
    [
        "visibility.?state.orValue('neither') == 'neither'",
        "(visibility.state == 'on' ? readiness.state : 'elsewhere') == 'elsewhere'",
        "visibility.state + '!' == 'on!'",
        "visibility.state.lowerAscii() == 'ON'",
        "[visibility.state, 'x'].exists(word, word == 'x')",
        "'x' in [visibility.state, 'x']",
        "traffic.same_node.by_protocol.exists(protocol, protocol == 'tcp')",
        "visibility.basis == 'anything'",
        "readiness.state != 'unknown'",
        "cluster.name == 'anything'",
        "(visibility.state == 'on' ? readiness.state : visibility.state) in ['off', 'ready']",
    ],
)
def test_a_value_that_may_be_any_text_may_be_compared_with_any(text: str) -> None:
    ENVIRONMENT.compile(text, "bool")


@pytest.mark.parametrize(
    ("text", "wanted", "words"),
    [
        ("cluster.?networkConfig", "any", "may be missing"),
        ("visibility.state", "list", "a list"),
        ("versions.pools", "text", "text"),
    ],
)
def test_an_expression_must_give_what_is_wanted(text: str, wanted: Wanted, words: str) -> None:
    assert words in refused(text, wanted).message


def test_an_error_in_an_expression_about_elements_has_its_place_in_that_expression() -> None:
    loop = ENVIRONMENT.loop("versions.pools.filter(p,\n p.name != '')", "pool")
    with pytest.raises(ExpressionError) as caught:
        ENVIRONMENT.compile("pool.name != ''\n && pool.versoin == ''", "bool", loop)
    assert "`versoin` in PoolVersion" in caught.value.message
    assert caught.value.offset == len("pool.name != ''\n && pool.")
    with pytest.raises(ExpressionError, match="must give text, and gives LIST"):
        ENVIRONMENT.compile("[pool.name]", "text", loop)


def test_the_element_of_a_loop_cannot_hide_a_variable() -> None:
    with pytest.raises(ExpressionError, match="already a variable"):
        ENVIRONMENT.loop("versions.pools", "cluster")


def test_a_presence_test_is_fine_where_a_field_can_be_missing() -> None:
    for text in (
        "has(cluster.networkConfig)",
        "has(cluster.networkConfig.defaultEnablePrivateNodes)",
        "has(masquerade.uncovered)",
        "cluster.?networkConfig.?enableIntraNodeVisibility.orValue(false)",
    ):
        ENVIRONMENT.compile(text, "bool")


def test_every_fact_is_a_variable_and_its_fields_are_typed() -> None:
    for name, record in schema.facts(schema_kind()).items():
        for inner in record.fields:
            ENVIRONMENT.compile(f"{name}.{inner}", "any")


def schema_kind() -> type:
    from auditor.engine.cel import FACTS

    return FACTS["cluster"]


def test_versions_are_compared_by_number() -> None:
    assert is_at_least("1.15", "1.9")
    assert not is_at_least("1.9.7-gke.11", "1.15")
    assert is_between("1.18.16-gke.300", "1.18.16-gke.300", "1.19.16")
    assert not is_between("1.19.16", "1.18.16-gke.300", "1.19.16")
    with pytest.raises(ValueError, match="'latest' is not a GKE version"):
        is_at_least("latest", "1.15")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (True, "true"),
        (1.0, "1"),
        (0.5, "0.5"),
        (None, "unknown"),
        (["a", 2], "a, 2"),
        ({"b": 1, "a": 2}, "a=2, b=1"),
    ],
)
def test_values_are_shown_as_a_reader_expects(value: object, words: str) -> None:
    assert shown(value) == words


def test_gke_s_enums_are_strings_and_its_default_is_the_first() -> None:
    cluster = schema.cluster()
    status = cluster.fields["status"]
    assert isinstance(status, schema.Scalar)
    assert status.type is str
    assert {"RUNNING", "DEGRADED"} < set(status.words)
    assert cluster.defaults["status"] == status.words[0]
    assert cluster.defaults["status"] == "STATUS_UNSPECIFIED"
    assert cluster.fields["createTime"] == schema.Scalar(str)
    assert len(descriptors.shipped()) > 10_000
