package store

// SameTypes is for the tests that need package hub, which imports this one.
var SameTypes = sameTypes
