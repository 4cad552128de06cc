// Package splitmix is the hash that types are told apart by: a step of 64 bits.
// It is no defence against who makes hashes collide on purpose; what depends on it
// is proven afterwards.
package splitmix

// Mix is one step of a 64-bit hash (the finaliser of splitmix64). What was
// hashed so far is multiplied first: were h and v exchangeable, a pointer and a
// struct of that pointer alone, which refer to each other, would hash the same.
func Mix(h, v uint64) uint64 {
	h = (h*0xd1342543de82ef95 ^ v) + 0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
