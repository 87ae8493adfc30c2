package sealed

// Column is a place in the database that holds boxes. Every package lists its own, so that all can be sealed anew.
type Column struct {
	Table, Name string
	// Key are the columns that tell rows apart, with their types: {"id", "bigint"}.
	Key [][2]string
	// Purpose is an SQL expression over the row's columns, as text: what its boxes are sealed for.
	Purpose string
}
