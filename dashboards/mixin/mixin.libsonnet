// The dashboards, alerts and recording rules of traffic_exporter. config.libsonnet has what can be set.
local fill = import 'fill.libsonnet';

(import 'config.libsonnet') {
  local config = $._config,
  local groups = fill(config)(importstr 'rules.json').groups,

  local alertNames = std.set([r.alert for g in groups for r in g.rules if 'alert' in r]),
  local unknown(names) = std.setDiff(std.set(names), alertNames),
  assert std.all([
    unknown(names) == [] || error 'there is no alert %s, only %s' % [unknown(names)[0], std.join(', ', alertNames)]
    for names in [config.disabledAlerts, std.objectFields(config.labelsByAlert), std.objectFields(config.forByAlert)]
  ]),

  local alert(rule) =
    local given = std.get(config.forByAlert, rule.alert, rule['for']);
    local wait = if std.isString(given) then given else error 'forByAlert.%s: %s is no duration, such as 10m' % [rule.alert, given];
    rule {
      'for': wait,
      labels+: config.alertLabels + std.get(config.labelsByAlert, rule.alert, {}),
      annotations: std.mapWithKey(function(_, text) std.strReplace(text, '@{for}', wait), rule.annotations) + (
        if config.runbookUrl == '' then {} else { runbook_url: config.runbookUrl + '#' + std.asciiLower(rule.alert) }
      ),
    },

  // The groups with what a function makes of their rules, without those that are left empty.
  local select(of) = [g for g in [g { rules: std.flatMap(of, g.rules) } for g in groups] if g.rules != []],

  prometheusRules+:: {
    groups+: select(function(rule) if 'record' in rule then [rule] else []),
  },

  prometheusAlerts+:: {
    groups+: select(
      function(rule) if 'alert' in rule && !std.member(config.disabledAlerts, rule.alert) then [alert(rule)] else []
    ),
  },

  grafanaDashboards+:: {
    'traffic-exporter-overview.json': fill(config)(importstr 'dashboards/overview.json'),
    'traffic-exporter-scenario.json': fill(config)(importstr 'dashboards/scenario.json'),
    'traffic-exporter-fleet.json': fill(config)(importstr 'dashboards/fleet.json'),
  },
}
