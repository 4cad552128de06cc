package btf

// Scope says what of a kernel's types somebody looks at, from types of certain
// names on. Who has a kernel's types in another form than BTF can go by it and
// leave out the rest.
type Scope struct {
	Roots []ScopeRoot
	Nodes []ScopeNode
	// Alike, if set, tells which other members stay, without their types, beside
	// those of a name that is looked for: to say what is there instead.
	Alike func(name, other string) bool
}

// ScopeRoot is the types of a name, and of its flavors (name___flavor), of some
// kinds.
type ScopeRoot struct {
	Name  string
	Kinds uint32 // 1<<Kind, of all of them
	Nodes []int32
	// Apart: how many types there are counts, be they all the same. Elsewhere
	// types of a name that look the same may be shown as one.
	Apart bool
}

// ScopeNode is how a type is looked at. Its own record always is, without
// members and enumerators (but for an enum's first, and a struct's last, on
// which it depends how a field is read); and what is behind it: modifiers,
// typedefs, an array's element and index, in the same way.
type ScopeNode struct {
	// Members of these names are looked for, through members without a name,
	// and their types are looked at by these nodes; those without a name by the
	// nodes of "" as well.
	Members map[string][]int32
	// Flavored: member names count without their flavors.
	Flavored bool
	// Behind is how that is looked at which a pointer points to, and what a
	// prototype takes and gives. None: it is not.
	Behind []int32
	// All members or enumerators are looked at, though not their types.
	All bool
}
