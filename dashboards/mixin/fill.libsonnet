// Fills the placeholders of the generated templates with what a configuration has for them.
function(config)
  local default = import 'thresholds.libsonnet';
  // Returns a threshold if it is one. A name that ends in Ratio is a share of 1.
  local valid(name) =
    local value = std.get(config.thresholds, name);
    if !std.objectHas(default, name) then error 'thresholds: there is no %s, only %s' % [name, std.join(', ', std.objectFields(default))]
    else if !std.objectHas(config.thresholds, name) then error 'thresholds: %s is missing: write thresholds+ to keep the others' % name
    else if !std.isNumber(value) || value <= 0 then error 'thresholds.%s: %s is not a number above 0' % [name, std.manifestJsonMinified(value)]
    else if std.endsWith(name, 'Ratio') && value > 1 then error 'thresholds.%s: %g is above 1, which is all' % [name, value]
    else value;

  local matchers = std.stripChars(config.selector, ' ,');
  local values = [
    ['@{matchers}', if matchers == '' then '' else '{' + matchers + '}'],
    ['@{matchers,}', if matchers == '' then '' else matchers + ', '],
    ['@{replicaLabels}', std.join(', ', config.replicaLabels)],
    ['@{clusterLabel}', config.clusterLabel],
    ['@{namespaceLabel}', config.namespaceLabel],
  ] + [
    ['@{' + name + '}', '%.10g' % valid(name)]
    for name in std.set(std.objectFields(config.thresholds) + std.objectFields(default))
  ];
  // The template is JSON, so a value is written as within one of its strings.
  local quoted(value) = local json = std.manifestJsonMinified(value); std.substr(json, 1, std.length(json) - 2);

  function(template) std.parseJson(std.foldl(function(text, v) std.strReplace(text, v[0], quoted(v[1])), values, template))
