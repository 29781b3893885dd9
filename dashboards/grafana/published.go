package grafana

// Published is a dashboard as grafana.com and the import page take it from others: they ask for its inputs, and replace
// ${NAME} in all its strings by the values given.
type Published struct {
	Inputs   []Input        `json:"__inputs"`
	Elements map[string]any `json:"__elements"`
	Requires []Requirement  `json:"__requires"`
	// ID is null: the server that imports gives one.
	ID *int `json:"id"`
	Dashboard
}

// Input is what the import page asks for.
type Input struct {
	Name        string `json:"name"`
	Label       string `json:"label"`
	Description string `json:"description"`
	Type        string `json:"type"`
	PluginID    string `json:"pluginId"`
	PluginName  string `json:"pluginName"`
}

// Requirement is a plugin, or Grafana itself, in a version or later. An empty version is any.
type Requirement struct {
	Type    string `json:"type"`
	ID      string `json:"id"`
	Name    string `json:"name"`
	Version string `json:"version"`
}
