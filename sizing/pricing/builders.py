"""Which function prices which kind, by the token that the table of kinds bills it by."""

from collections.abc import Mapping
from functools import cache, partial

from sizing.pricing import alicloud, aws_compute, aws_services
from sizing.pricing.draft import Builder


@cache
def builders() -> Mapping[str, Builder]:
    """The functions by type. A kind without one is billed by use that no price is known of, or is free."""
    return {
        "aws:amp/workspace:Workspace": aws_services.price_metrics_workspace,
        "aws:autoscaling/group:Group": aws_compute.price_group,
        "aws:backup/vault:Vault": aws_services.price_vault,
        "aws:cloudfront/distribution:Distribution": aws_services.price_distribution,
        "aws:cloudwatch/dashboard:Dashboard": aws_services.price_dashboard,
        "aws:cloudwatch/logGroup:LogGroup": aws_services.price_log_group,
        "aws:cloudwatch/logMetricFilter:LogMetricFilter": aws_services.price_metric_filter,
        "aws:cloudwatch/metricAlarm:MetricAlarm": aws_services.price_alarm,
        "aws:dynamodb/table:Table": aws_services.price_table,
        "aws:ebs/snapshot:Snapshot": aws_services.price_snapshots,
        "aws:ebs/snapshotCopy:SnapshotCopy": aws_services.price_snapshots,
        "aws:ebs/volume:Volume": aws_compute.price_volume,
        "aws:ec2/eip:Eip": aws_services.price_address,
        "aws:ec2/instance:Instance": aws_compute.price_instance,
        "aws:ec2/natGateway:NatGateway": aws_services.price_nat,
        "aws:ec2/vpcEndpoint:VpcEndpoint": aws_services.price_endpoint,
        "aws:ecr/repository:Repository": aws_services.price_images,
        "aws:ecs/cluster:Cluster": aws_compute.price_container_cluster,
        "aws:ecs/service:Service": aws_compute.price_service,
        "aws:eks/cluster:Cluster": aws_compute.price_cluster,
        "aws:eks/nodeGroup:NodeGroup": aws_compute.price_node_group,
        "aws:elasticache/cluster:Cluster": aws_services.price_cache,
        "aws:elasticache/replicationGroup:ReplicationGroup": aws_services.price_cache,
        "aws:elasticsearch/domain:Domain": aws_services.price_search_domain,
        "aws:grafana/workspace:Workspace": aws_services.price_grafana,
        "aws:kinesis/stream:Stream": partial(aws_services.refuse, "streams of Kinesis have no list price"),
        "aws:kms/key:Key": aws_services.price_key,
        "aws:kms/replicaKey:ReplicaKey": aws_services.price_key,
        "aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig": partial(
            aws_services.refuse, "kept concurrency of Lambda has no list price"
        ),
        "aws:lb/loadBalancer:LoadBalancer": aws_services.price_balancer,
        "aws:opensearch/domain:Domain": aws_services.price_search_domain,
        "aws:rds/cluster:Cluster": aws_services.price_database_cluster,
        "aws:rds/clusterInstance:ClusterInstance": aws_services.price_database_node,
        "aws:rds/instance:Instance": aws_services.price_database,
        "aws:redshift/cluster:Cluster": partial(aws_services.refuse, "nodes of Redshift have no list price"),
        "aws:route53/healthCheck:HealthCheck": aws_services.price_health_check,
        "aws:route53/zone:Zone": aws_services.price_zone,
        "aws:s3/bucket:Bucket": aws_services.price_bucket,
        "aws:secretsmanager/secret:Secret": aws_services.price_secret,
        "aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace": aws_services.price_zone,
        "aws:ssm/parameter:Parameter": aws_services.price_parameter,
        "aws:wafv2/webAcl:WebAcl": aws_services.price_firewall,
        "alicloud:alb/loadBalancer:LoadBalancer": alicloud.price_balancer,
        "alicloud:cdn/domainNew:DomainNew": alicloud.price_distribution,
        "alicloud:cms/alarm:Alarm": alicloud.price_alarm,
        "alicloud:cms/eventRule:EventRule": alicloud.price_alarm,
        "alicloud:cms/metricRuleTemplate:MetricRuleTemplate": alicloud.price_alarm,
        "alicloud:cr/registryEnterpriseInstance:RegistryEnterpriseInstance": partial(
            aws_services.refuse, "instances of the registry have no list price"
        ),
        "alicloud:cr/repo:Repo": alicloud.price_images,
        "alicloud:cs/nodePool:NodePool": alicloud.price_node_pool,
        "alicloud:dns/alidnsDomain:AlidnsDomain": alicloud.price_zone,
        "alicloud:ecs/ecsDisk:EcsDisk": alicloud.price_disk,
        "alicloud:ecs/ecsSnapshot:EcsSnapshot": alicloud.price_snapshots,
        "alicloud:ecs/eipAddress:EipAddress": alicloud.price_address,
        "alicloud:ecs/instance:Instance": alicloud.price_instance,
        "alicloud:ess/scalingGroup:ScalingGroup": alicloud.price_group,
        "alicloud:kms/instance:Instance": alicloud.price_key_instance,
        "alicloud:kms/key:Key": alicloud.price_key,
        "alicloud:kms/secret:Secret": alicloud.price_secret,
        "alicloud:kvstore/instance:Instance": alicloud.price_cache,
        "alicloud:log/alert:Alert": alicloud.price_alarm,
        "alicloud:log/store:Store": alicloud.price_log_store,
        "alicloud:nlb/loadBalancer:LoadBalancer": alicloud.price_network_balancer,
        "alicloud:oos/secretParameter:SecretParameter": alicloud.price_parameter,
        "alicloud:oss/bucket:Bucket": alicloud.price_bucket,
        "alicloud:pvtz/zone:Zone": alicloud.price_private_zone,
        "alicloud:rds/instance:Instance": alicloud.price_database,
        "alicloud:rds/readOnlyInstance:ReadOnlyInstance": alicloud.price_database,
        "alicloud:redis/tairInstance:TairInstance": alicloud.price_cache,
        "alicloud:slb/applicationLoadBalancer:ApplicationLoadBalancer": alicloud.price_classic_balancer,
        "alicloud:vpc/natGateway:NatGateway": alicloud.price_nat,
    }
