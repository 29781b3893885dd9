package script

import (
	"fmt"
	"strconv"
)

// Table returns the rows of data as they are now; nil or empty if there are none. They may
// differ from call to call, as their file changes: a journey that has drawn one keeps it. It is
// called concurrently and must not block.
type Table func() *Rows

// Rows are the rows of data: objects with the columns as keys, or plain values. They are
// immutable.
type Rows struct {
	values []Value
	// sums are those of the weights; nil if all are alike.
	sums []uint64
}

// NewRows returns rows that are chosen by the numbers in the column weight, if that is not
// empty. It fails without rows, on a row that lacks one of the columns, and on weights that
// are not whole numbers of at least 0.
func NewRows(values []Value, columns []string, weight string) (*Rows, error) {
	if len(values) == 0 {
		return nil, errNoRows
	}
	r := &Rows{values: values}
	for i, v := range values {
		for _, column := range columns {
			if _, ok := v.Field(column); !ok {
				return nil, fmt.Errorf("row %d has no %q", i+1, column)
			}
		}
	}
	if weight == "" {
		return r, nil
	}
	weights := make([]uint64, len(values))
	for i, v := range values {
		w, _ := v.Field(weight)
		var err error
		if weights[i], err = strconv.ParseUint(w.Text, 10, 32); err != nil {
			return nil, fmt.Errorf("row %d: %q is no weight: expected a whole number", i+1, w.Text)
		}
	}
	if r.sums = sumsOf(weights); r.sums[len(r.sums)-1] == 0 {
		return nil, fmt.Errorf("all weights in %q are 0", weight)
	}
	return r, nil
}

// Len returns the number of rows. The Rows may be nil.
func (r *Rows) Len() int {
	if r == nil {
		return 0
	}
	return len(r.values)
}

// At returns a row. It must be there.
func (r *Rows) At(i int) Value { return r.values[i] }
