"""What each part may do to Kubernetes, and that nothing secret is written down."""

from __future__ import annotations

from imagomortis_cli.upkeep.installation.secrets import bootstrap
from tests.deploy.manifests import Document, Installation, namespace_of, texts

DAGSTERS_PARTS = {"pusher", "scheduler", "run", "dagster-webserver"}


def rules_of(installation: Installation) -> list[tuple[str, Document]]:
    """Every account with every rule that it is given."""
    return [
        (subject["name"], rule)
        for binding in installation.of("RoleBinding")
        for subject in binding["subjects"]
        for rule in installation.one("Role", binding["roleRef"]["name"], namespace_of(binding))["rules"]
    ]


def test_only_parts_of_dagster_touch_jobs(installation: Installation) -> None:
    touching = {account for account, rule in rules_of(installation) if "batch" in rule["apiGroups"]}
    assert touching == DAGSTERS_PARTS


def test_only_runs_and_the_scheduler_make_jobs(installation: Installation) -> None:
    rules = rules_of(installation)
    makers = {account for account, rule in rules if "jobs" in rule["resources"] and "create" in rule["verbs"]}
    assert makers == {"run", "scheduler"}


def test_accounts_that_delete_jobs_can_delete_their_pods(installation: Installation) -> None:
    """Dagster's way: a Job deleted by its client leaves its pods at work. The janitor has Kubernetes see to them."""
    deleters = {
        kind: {
            account
            for account, rule in rules_of(installation)
            if kind in rule["resources"] and "delete" in rule["verbs"]
        }
        for kind in ("jobs", "pods")
    }
    assert deleters["pods"] == {"scheduler", "run", "dagster-webserver"}
    assert deleters["jobs"] == deleters["pods"] | {"pusher"}


def test_only_the_bootstrap_touches_secrets_and_it_reads_its_own_alone(installation: Installation) -> None:
    rules = [(account, rule) for account, rule in rules_of(installation) if "secrets" in rule["resources"]]
    assert {account for account, _ in rules} == {"bootstrap"}
    assert {verb for _, rule in rules for verb in rule["verbs"]} == {"create", "get"}
    assert all(rule["resourceNames"] for _, rule in rules if rule["verbs"] != ["create"])


def test_no_rule_is_a_wildcard_or_reaches_beyond_the_namespace(installation: Installation) -> None:
    for account, rule in rules_of(installation):
        assert "*" not in {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}, account
        assert set(rule["verbs"]) <= {"create", "get", "list", "delete"}, account
    assert not installation.of("ClusterRoleBinding")


def test_no_secret_is_in_a_file(installation: Installation) -> None:
    assert not installation.of("Secret")
    for path, text in texts().items():
        assert "\nkind: Secret\n" not in text, path


class Kept:
    """A namespace's Secrets in memory, for what decides which there are to be."""

    def __init__(self, **there: dict[str, str]) -> None:
        """Begin with those that are there."""
        self.secrets = dict(there)

    def ensure(self, name: str, values: dict[str, str]) -> dict[str, str]:
        """Keep a Secret as it is, or take the values."""
        return self.secrets.setdefault(name, dict(values))


def test_the_bootstrap_may_read_exactly_what_it_makes(installation: Installation) -> None:
    namespace = Kept()
    bootstrap(namespace, own_postgres=True)  # type: ignore[arg-type]
    assert set(installation.one("Role", "bootstrap")["rules"][1]["resourceNames"]) == set(namespace.secrets)


def test_the_addresses_of_the_databases_are_made_of_the_passwords_that_are_there() -> None:
    passwords = {"postgres-password": "one", "catalog-password": "two", "dagster-password": "three"}
    namespace = Kept(postgres=passwords)
    bootstrap(namespace, own_postgres=True)  # type: ignore[arg-type]
    assert ":two@postgres/imagomortis" in namespace.secrets["database"]["DATABASE_URL"]
    assert ":three@" in namespace.secrets["dagster-database"]["IMAGOMORTIS_DAGSTER_DATABASE_URL"]


def test_a_postgres_elsewhere_gets_no_addresses_made_up() -> None:
    namespace = Kept()
    bootstrap(namespace, own_postgres=False)  # type: ignore[arg-type]
    assert set(namespace.secrets) == {"access", "grafana"}
