// Package grafana holds the parts of Grafana's dashboard format that our dashboards
// use: the classic one (version 1), which files, sidecars and the import page all take.
// It knows nothing of traffic_exporter. Grafana's own library for this is larger than
// all that it would be used for here.
package grafana

// SchemaVersion is the version of the format. Grafana migrates from it to its own.
const SchemaVersion = 42

// Dashboard is the document.
type Dashboard struct {
	UID           string      `json:"uid"`
	Title         string      `json:"title"`
	Description   string      `json:"description"`
	Tags          []string    `json:"tags"`
	SchemaVersion int         `json:"schemaVersion"`
	Editable      bool        `json:"editable"`
	GraphTooltip  int         `json:"graphTooltip"`
	Timezone      string      `json:"timezone"`
	Refresh       string      `json:"refresh"`
	Time          Time        `json:"time"`
	Links         []Link      `json:"links"`
	Templating    Templating  `json:"templating"`
	Annotations   Annotations `json:"annotations"`
	Panels        []Panel     `json:"panels"`
}

// SharedCrosshair is the value of Dashboard.GraphTooltip with which the cursor of one
// chart is drawn in all.
const SharedCrosshair = 1

// Time is the range that a dashboard opens with.
type Time struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Link leads to other dashboards, or from a field to anywhere.
type Link struct {
	Title       string   `json:"title"`
	Type        string   `json:"type"`
	Icon        string   `json:"icon"`
	Tooltip     string   `json:"tooltip"`
	Tags        []string `json:"tags"`
	AsDropdown  bool     `json:"asDropdown"`
	IncludeVars bool     `json:"includeVars"`
	KeepTime    bool     `json:"keepTime"`
	TargetBlank bool     `json:"targetBlank"`
	URL         string   `json:"url,omitempty"`
}

// Templating holds the variables.
type Templating struct {
	List []Variable `json:"list"`
}

// Variable is what the user chooses at the top, and queries name as $name.
type Variable struct {
	Name        string      `json:"name"`
	Label       string      `json:"label"`
	Description string      `json:"description,omitempty"`
	Type        string      `json:"type"`
	Hide        int         `json:"hide"`
	Datasource  *Datasource `json:"datasource,omitempty"`
	// Query is a string, or a VariableQuery where the data source is asked.
	Query      any      `json:"query"`
	Regex      string   `json:"regex,omitempty"`
	Refresh    int      `json:"refresh,omitempty"`
	Sort       int      `json:"sort,omitempty"`
	Multi      bool     `json:"multi"`
	IncludeAll bool     `json:"includeAll"`
	AllValue   string   `json:"allValue,omitempty"`
	Current    *Option  `json:"current,omitempty"`
	Options    []Option `json:"options,omitempty"`
}

// Values of Variable: a hidden one is set by links only; queries are asked again when
// the time range changes; names are sorted as people sort them, case aside.
const (
	Hidden              = 2
	RefreshOnTimeChange = 2
	SortByName          = 5
)

// VariableQuery is a query of a variable to Prometheus.
type VariableQuery struct {
	Query string `json:"query"`
	RefID string `json:"refId"`
}

// Option is a value of a variable, and how it is shown.
type Option struct {
	Selected bool   `json:"selected,omitempty"`
	Text     string `json:"text"`
	Value    string `json:"value"`
}

// Annotations holds the events that are drawn into all charts.
type Annotations struct {
	List []Annotation `json:"list"`
}

// Annotation is a query for events. Grafana has moved its expression into the target;
// older versions read it beside.
type Annotation struct {
	Name            string     `json:"name"`
	Datasource      Datasource `json:"datasource"`
	Enable          bool       `json:"enable"`
	IconColor       string     `json:"iconColor"`
	Expr            string     `json:"expr"`
	Target          Target     `json:"target"`
	TitleFormat     string     `json:"titleFormat"`
	TextFormat      string     `json:"textFormat"`
	TagKeys         string     `json:"tagKeys"`
	UseValueForTime bool       `json:"useValueForTime"`
}

// Datasource names a data source.
type Datasource struct {
	Type string `json:"type"`
	UID  string `json:"uid,omitempty"`
}

// Panel is a panel, or a row if it has Collapsed.
type Panel struct {
	ID              int              `json:"id"`
	Type            string           `json:"type"`
	Title           string           `json:"title"`
	Description     string           `json:"description,omitempty"`
	Datasource      *Datasource      `json:"datasource,omitempty"`
	GridPos         GridPos          `json:"gridPos"`
	Targets         []Target         `json:"targets,omitempty"`
	FieldConfig     *FieldConfig     `json:"fieldConfig,omitempty"`
	Options         any              `json:"options,omitempty"`
	Transformations []Transformation `json:"transformations,omitempty"`
	Collapsed       *bool            `json:"collapsed,omitempty"`
	Panels          *[]Panel         `json:"panels,omitempty"`
}

// GridPos is a place on the grid, which is 24 columns wide.
type GridPos struct {
	X int `json:"x"`
	Y int `json:"y"`
	W int `json:"w"`
	H int `json:"h"`
}

// Columns is the width of the grid.
const Columns = 24

// Target is a query.
type Target struct {
	RefID        string      `json:"refId"`
	Datasource   *Datasource `json:"datasource,omitempty"`
	Expr         string      `json:"expr"`
	LegendFormat string      `json:"legendFormat,omitempty"`
	Format       string      `json:"format,omitempty"`
	Instant      bool        `json:"instant,omitempty"`
	Range        bool        `json:"range,omitempty"`
	Exemplar     bool        `json:"exemplar,omitempty"`
	EditorMode   string      `json:"editorMode,omitempty"`
}

// Transformation changes the responses before they are drawn.
type Transformation struct {
	ID      string         `json:"id"`
	Options map[string]any `json:"options"`
}

// FieldConfig says how values are shown.
type FieldConfig struct {
	Defaults  Field      `json:"defaults"`
	Overrides []Override `json:"overrides"`
}

// Field says how the values of a field are shown.
type Field struct {
	Unit       string      `json:"unit,omitempty"`
	Decimals   *int        `json:"decimals,omitempty"`
	Min        *float64    `json:"min,omitempty"`
	Max        *float64    `json:"max,omitempty"`
	NoValue    string      `json:"noValue,omitempty"`
	Color      *Color      `json:"color,omitempty"`
	Thresholds *Thresholds `json:"thresholds,omitempty"`
	Mappings   []Mapping   `json:"mappings,omitempty"`
	Links      []FieldLink `json:"links,omitempty"`
	Custom     *Custom     `json:"custom,omitempty"`
}

// FieldLink is a link of a field's values.
type FieldLink struct {
	Title string `json:"title"`
	URL   string `json:"url"`
}

// Color says where a field's colour comes from.
type Color struct {
	Mode       string `json:"mode"`
	FixedColor string `json:"fixedColor,omitempty"`
}

// Thresholds give values a colour: each step from its value on.
type Thresholds struct {
	Mode  string `json:"mode"`
	Steps []Step `json:"steps"`
}

// Step is a threshold. The first has no value.
type Step struct {
	Color string   `json:"color"`
	Value *float64 `json:"value"`
}

// Mapping shows texts in place of values.
type Mapping struct {
	Type    string            `json:"type"`
	Options map[string]Mapped `json:"options"`
}

// Mapped is shown in place of a value.
type Mapped struct {
	Text  string `json:"text"`
	Color string `json:"color,omitempty"`
	Index int    `json:"index"`
}

// Override is how some fields differ from the others.
type Override struct {
	Matcher    Matcher    `json:"matcher"`
	Properties []Property `json:"properties"`
}

// Matcher says which fields.
type Matcher struct {
	ID      string `json:"id"`
	Options string `json:"options"`
}

// Property is one of the things that differ.
type Property struct {
	ID    string `json:"id"`
	Value any    `json:"value"`
}

// Custom is the part of a field's configuration that belongs to the kind of panel: that
// of time series, tables and heatmaps in one.
type Custom struct {
	DrawStyle         string           `json:"drawStyle,omitempty"`
	LineWidth         *int             `json:"lineWidth,omitempty"`
	FillOpacity       *int             `json:"fillOpacity,omitempty"`
	GradientMode      string           `json:"gradientMode,omitempty"`
	LineStyle         *LineStyle       `json:"lineStyle,omitempty"`
	ShowPoints        string           `json:"showPoints,omitempty"`
	SpanNulls         *bool            `json:"spanNulls,omitempty"`
	Stacking          *Stacking        `json:"stacking,omitempty"`
	ScaleDistribution *Scale           `json:"scaleDistribution,omitempty"`
	ThresholdsStyle   *ThresholdsStyle `json:"thresholdsStyle,omitempty"`
	AxisSoftMax       *float64         `json:"axisSoftMax,omitempty"`
	AxisLabel         string           `json:"axisLabel,omitempty"`

	Align       string       `json:"align,omitempty"`
	Inspect     *bool        `json:"inspect,omitempty"`
	CellOptions *CellOptions `json:"cellOptions,omitempty"`
	Width       int          `json:"width,omitempty"`
}

// LineStyle is how a line is dashed.
type LineStyle struct {
	Fill string `json:"fill"`
	Dash []int  `json:"dash,omitempty"`
}

// Stacking puts series on top of each other.
type Stacking struct {
	Mode  string `json:"mode"`
	Group string `json:"group"`
}

// Scale is the scale of an axis.
type Scale struct {
	Type string `json:"type"`
	Log  int    `json:"log,omitempty"`
}

// ThresholdsStyle is how thresholds are drawn into a chart.
type ThresholdsStyle struct {
	Mode string `json:"mode"`
}

// CellOptions is how the cells of a table are drawn.
type CellOptions struct {
	Type             string `json:"type"`
	Mode             string `json:"mode,omitempty"`
	ValueDisplayMode string `json:"valueDisplayMode,omitempty"`
}

// Legend is the legend of a chart.
type Legend struct {
	ShowLegend  bool     `json:"showLegend"`
	DisplayMode string   `json:"displayMode"`
	Placement   string   `json:"placement"`
	Calcs       []string `json:"calcs"`
	SortBy      string   `json:"sortBy,omitempty"`
	SortDesc    bool     `json:"sortDesc,omitempty"`
}

// Tooltip is shown under the cursor.
type Tooltip struct {
	Mode string `json:"mode"`
	Sort string `json:"sort"`
}

// TimeSeriesOptions are those of a chart of lines.
type TimeSeriesOptions struct {
	Legend  Legend  `json:"legend"`
	Tooltip Tooltip `json:"tooltip"`
}

// StatOptions are those of a single large value.
type StatOptions struct {
	GraphMode              string `json:"graphMode"`
	ColorMode              string `json:"colorMode"`
	JustifyMode            string `json:"justifyMode"`
	TextMode               string `json:"textMode"`
	WideLayout             bool   `json:"wideLayout"`
	ShowPercentChange      bool   `json:"showPercentChange"`
	PercentChangeColorMode string `json:"percentChangeColorMode"`
	Orientation            string `json:"orientation"`
	ReduceOptions          Reduce `json:"reduceOptions"`
}

// BarGaugeOptions are those of values as bars beside each other.
type BarGaugeOptions struct {
	DisplayMode   string `json:"displayMode"`
	ValueMode     string `json:"valueMode"`
	NamePlacement string `json:"namePlacement"`
	ShowUnfilled  bool   `json:"showUnfilled"`
	Sizing        string `json:"sizing"`
	MinVizWidth   int    `json:"minVizWidth"`
	MinVizHeight  int    `json:"minVizHeight"`
	MaxVizHeight  int    `json:"maxVizHeight"`
	Orientation   string `json:"orientation"`
	Legend        Legend `json:"legend"`
	ReduceOptions Reduce `json:"reduceOptions"`
}

// Reduce makes one value of many.
type Reduce struct {
	Calcs  []string `json:"calcs"`
	Fields string   `json:"fields"`
	Values bool     `json:"values"`
}

// TableOptions are those of a table.
type TableOptions struct {
	FrameIndex int      `json:"frameIndex"`
	ShowHeader bool     `json:"showHeader"`
	CellHeight string   `json:"cellHeight"`
	SortBy     []SortBy `json:"sortBy,omitempty"`
}

// SortBy is how a table is sorted at first.
type SortBy struct {
	DisplayName string `json:"displayName"`
	Desc        bool   `json:"desc"`
}

// HeatmapOptions are those of a heatmap.
type HeatmapOptions struct {
	Calculate    bool         `json:"calculate"`
	CellGap      int          `json:"cellGap"`
	CellValues   Unit         `json:"cellValues"`
	Color        HeatmapColor `json:"color"`
	Exemplars    FixedColor   `json:"exemplars"`
	FilterValues LessOrEqual  `json:"filterValues"`
	Legend       Show         `json:"legend"`
	ShowValue    string       `json:"showValue"`
	Tooltip      HeatmapHover `json:"tooltip"`
	YAxis        YAxis        `json:"yAxis"`
}

// Unit is a unit.
type Unit struct {
	Unit string `json:"unit"`
}

// HeatmapColor is the colour scheme of a heatmap.
type HeatmapColor struct {
	Mode     string  `json:"mode"`
	Scheme   string  `json:"scheme"`
	Fill     string  `json:"fill"`
	Scale    string  `json:"scale"`
	Exponent float64 `json:"exponent"`
	Steps    int     `json:"steps"`
	Reverse  bool    `json:"reverse"`
}

// FixedColor is a colour.
type FixedColor struct {
	Color string `json:"color"`
}

// LessOrEqual leaves values out.
type LessOrEqual struct {
	LE float64 `json:"le"`
}

// Show shows something or does not.
type Show struct {
	Show bool `json:"show"`
}

// HeatmapHover is shown under the cursor in a heatmap.
type HeatmapHover struct {
	Mode           string `json:"mode"`
	YHistogram     bool   `json:"yHistogram"`
	ShowColorScale bool   `json:"showColorScale"`
}

// YAxis is the axis of a heatmap.
type YAxis struct {
	Unit          string `json:"unit"`
	AxisPlacement string `json:"axisPlacement"`
	Reverse       bool   `json:"reverse"`
	Decimals      *int   `json:"decimals,omitempty"`
}
