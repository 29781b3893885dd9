{
  _config+:: {
    // Matchers that all queries have in addition, such as 'job="traffic_exporter", region="eu"'. All replicas of a fleet have
    // to have these labels alike, and recorded series and alerts have to keep them.
    selector: '',

    // Labels that distinguish replicas of one fleet. Rules aggregate over them and keep all others.
    replicaLabels: ['instance', 'pod', 'node'],

    // Labels that distinguish fleets in the dashboards, beside job.
    clusterLabel: 'cluster',
    namespaceLabel: 'namespace',

    // What alerts compare with, by name and unit. See thresholds.libsonnet.
    thresholds: import 'thresholds.libsonnet',

    // How long alerts wait until they fire, by their names: { TrafficRateShort: '30m' }.
    forByAlert: {},

    // Alerts to leave out, by their names.
    disabledAlerts: [],

    // Labels to add to all alerts, and to one or to change in it: { TrafficRateShort: { severity: 'critical' } }.
    alertLabels: {},
    labelsByAlert: {},

    // Where the runbook is, if you keep one of your own. Alerts link to # and their name in lower case.
    runbookUrl: '',
  },
}
