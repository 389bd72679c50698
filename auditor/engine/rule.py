"""The rule file as types: what one YAML file of a rule pack may say."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from auditor.engine.result import Severity  # noqa: TC001 - pydantic reads the annotations

Expression = Annotated[str, Field(min_length=1, description="A CEL expression.")]
Template = Annotated[
    str,
    Field(min_length=1, description="Text with CEL expressions in braces: `Node pool {pool.name} is old.`"),
]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Reference(_Strict):
    """A page that backs the rule."""

    title: str = Field(min_length=1)
    url: str = Field(pattern=r"^https://[^\s]+$")


class Lowered(_Strict):
    """A lower severity for the same defect in a milder situation."""

    to: Severity
    when: Expression


class Check(_Strict):
    """One expectation.

    With `each`, a CEL list, the check is made for every element, called `as`; each element that fails or
    cannot be decided is a result of its own, about `subject` (an expression over the element).
    """

    expect: Expression
    message: Template
    each: Expression | None = None
    as_: str = Field(default="item", alias="as", pattern=r"^[a-z][a-z_]*$")
    subject: Expression | None = None
    when: Expression | None = Field(default=None, description="The check is left out where this is false.")
    lowered: Lowered | None = None


class AppliesTo(_Strict):
    """The resources a rule judges; where `when` is false it is not applicable, because of `otherwise`."""

    kind: Literal["cluster", "network"]
    when: Expression | None = None
    otherwise: str = "The rule does not apply here."


class EvidenceRef(_Strict):
    """A path to show as evidence (`visibility`, `cluster.networkConfig`), and the value expected there.

    A whole fact brings its own evidence, so that only a path inside one can have an expected value.
    """

    path: str = Field(pattern=r"^[a-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*$")
    expected: Any = None


class Fix(_Strict):
    """What mends the failure: a text, commands as templates with shell-quoted values, what it costs.

    Commands may name the element of `each` if all checks of the rule are about the same elements.
    """

    text: str = Field(min_length=1)
    commands: tuple[Template, ...] = ()
    ready_commands: Expression | None = Field(
        default=None,
        description="A list of finished shell commands that a fact brings, put before `commands`.",
    )
    cost: str | None = Field(default=None, description="What the change costs: restarts, money, time.")
    terraform: str | None = None


class Example(_Strict):
    """A small organisation for which the rule has a known verdict.

    Each part is a JSON merge patch (RFC 7396) over one ordinary organisation; null for a whole asset leaves
    that asset out. `firewalls` are added to GKE's own rules, or change the one of their name; null leaves
    out all firewall rules. `kubernetes` lists Kubernetes objects known of the cluster (absent: none were
    asked for).
    """

    name: str = Field(min_length=1)
    cluster: dict[str, Any] = Field(default_factory=dict)
    network: dict[str, Any] | None = Field(default_factory=dict)
    subnetwork: dict[str, Any] | None = Field(default_factory=dict)
    firewalls: tuple[dict[str, Any], ...] | None = ()
    policies: tuple[dict[str, Any], ...] = ()
    kubernetes: tuple[dict[str, Any], ...] | None = None
    assets: tuple[dict[str, Any], ...] = Field(
        default=(), description="Further assets, as Cloud Asset Inventory lists them."
    )
    complete: bool = Field(default=True, description="Whether absent asset types mean that there are none.")
    org: dict[str, Any] = Field(default_factory=dict, description="Parameters that differ from the pack's.")
    says: str | None = Field(default=None, description="Text that the message, or a reason, must contain.")
    severity: Severity | None = Field(default=None, description="The severity the failure must have.")


class Examples(_Strict):
    """The rule's tests, by the verdict they must have; they are its documentation too."""

    pass_: tuple[Example, ...] = Field(alias="pass", min_length=1)
    fail: tuple[Example, ...] = Field(min_length=1)
    not_applicable: tuple[Example, ...] = ()
    unknown: tuple[Example, ...] = ()


class Rule(_Strict):
    """One rule, from one file that is named after its id."""

    id: Slug
    title: str = Field(min_length=1, max_length=120)
    severity: Severity
    since: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    tags: tuple[Slug, ...] = ()
    aliases: tuple[str, ...] = Field(
        default=(), description="Ids of the same check elsewhere, or older ones."
    )
    description: str = Field(min_length=1)
    applies_to: AppliesTo
    checks: tuple[Check, ...] = Field(min_length=1)
    passing: str = Field(min_length=1, description="What is true of a resource that passes, in a sentence.")
    evidence: tuple[EvidenceRef, ...] = ()
    remediation: Fix
    references: tuple[Reference, ...] = ()
    controls: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    examples: Examples


class Pack(_Strict):
    """`pack.yaml`: what a folder of rules is, and the parameters its expressions see as `org`."""

    name: Slug
    title: str = Field(min_length=1)
    description: str = Field(min_length=1)
    parameters: dict[str, Any] = Field(default_factory=dict)
