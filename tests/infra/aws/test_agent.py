"""The agent's configuration: it publishes exactly what alarms and dashboards ask for, under the same dimensions."""

from infra.alarms import choose_alarms
from infra.aws.agent import agent_configuration, scrape_configuration
from infra.aws.watched import HOST_NAMESPACE, SERVICE_DATA_PATH, VECTORS_DATA_PATH, Watched
from infra.service.configuration import WORKING_DIR
from infra.service.host_start import SCRAPE_PATH
from infra.service.qdrant_start import FOLDER
from tests.infra.service.plans import COMPANY, PERSONAL, TEAM, plan_region

LOG_FILES = {"/var/log/reme/reme.log": "/reme-cloud/test/application"}


def test_a_host_publishes_memory_and_both_disks_where_its_role_lets_it() -> None:
    found = agent_configuration(plan_region(**PERSONAL), stack="test", role="service", log_files=LOG_FILES)

    metrics = found["metrics"]
    assert metrics["namespace"] == HOST_NAMESPACE
    assert metrics["metrics_collected"]["mem"]["measurement"] == ["used_percent"]
    assert metrics["metrics_collected"]["disk"]["resources"] == ["/var/lib/reme", "/"]
    assert found["agent"]["omit_hostname"] and metrics["metrics_collected"]["disk"]["drop_device"]
    (log,) = found["logs"]["logs_collected"]["files"]["collect_list"]
    assert (log["file_path"], log["log_group_name"]) == next(iter(LOG_FILES.items()))
    assert "metrics_collected" not in found["logs"]


def test_what_it_publishes_is_what_alarms_ask_for() -> None:
    plan = plan_region(**PERSONAL)
    plugins = agent_configuration(plan, stack="test", role="service")["metrics"]["metrics_collected"]
    watched = Watched()

    for alarm in choose_alarms(plan, certificate=False, scraped=False):
        if alarm.namespace == HOST_NAMESPACE and alarm.dimensions != "log":
            plugin, _, measurement = alarm.metric.partition("_")
            asked = watched.dimensions(alarm.dimensions, "test")
            assert measurement in plugins[plugin]["measurement"]
            assert plugins[plugin]["append_dimensions"].items() <= asked.items()
            assert "path" not in asked or asked["path"] in plugins[plugin]["resources"]


def test_a_server_beside_the_service_is_measured_too() -> None:
    found = agent_configuration(plan_region(**TEAM), stack="test", role="service")
    (program,) = found["metrics"]["metrics_collected"]["procstat"]
    assert (program["exe"], program["measurement"]) == ("qdrant", ["memory_rss", "cpu_usage"])


def test_nodes_of_a_vector_store_publish_under_a_role_of_their_own() -> None:
    plugins = agent_configuration(plan_region(**COMPANY), stack="test", role="vectors")["metrics"]["metrics_collected"]
    assert plugins["mem"]["append_dimensions"] == {"Stack": "test", "Role": "vectors"}
    assert plugins["disk"]["resources"] == ["/var/lib/qdrant", "/"]


def test_the_services_own_metrics_are_read_from_beside_it() -> None:
    plan = plan_region(**COMPANY)

    (job,) = scrape_configuration(plan, stack="test")["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["127.0.0.1:8002"], "labels": {"Stack": "test"}}]
    kept = job["metric_relabel_configs"][0]["regex"].split("|")
    found = agent_configuration(plan, stack="test", role="service", scrape=SCRAPE_PATH)["logs"]["metrics_collected"]
    prometheus = found["prometheus"]
    (declared,) = prometheus["emf_processor"]["metric_declaration"]
    assert declared["metric_selectors"] == [f"^{name}$" for name in kept]
    assert declared["dimensions"] == [["Stack"]] and prometheus["prometheus_config_path"] == SCRAPE_PATH
    assert "reme_searches_degraded_total" in kept


def test_disks_are_those_that_the_machines_mount() -> None:
    assert (SERVICE_DATA_PATH, VECTORS_DATA_PATH) == (WORKING_DIR, FOLDER)
