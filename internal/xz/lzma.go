package xz

// Sizes and limits of LZMA, as in the LZMA specification and liblzma's
// lzma_decoder.c.
const (
	probInit  = 1 << 10 // one half, in units of 1/2048
	rangeTop  = 1 << 24 // below it the range coder takes another byte
	litStates = 7       // states below it: the symbol before was a literal

	matchLenMin = 2

	// lzmaLookahead is how many bytes one symbol can take from the input
	// at most: 22 coded bits and 26 direct ones take 20 bytes, and the
	// closing normalisation one more (liblzma: LZMA_IN_REQUIRED).
	lzmaLookahead = 21
)

// literalNext is the state after a literal, by the state before it.
var literalNext = [16]uint8{0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 4, 5}

// lengthModel holds the probabilities of match lengths.
type lengthModel struct {
	choice, choice2 uint16
	low, mid        [16][8]uint16
	high            [256]uint16
}

// lzma is the state that LZMA carries from chunk to chunk. Arrays are rounded
// up to powers of two so that masked indices need no bounds check.
type lzma struct {
	rep            [4]uint64 // distances of the last four matches, less one
	state          uint64
	lc             uint   // literal context bits
	lpMask, pbMask uint64 // literal position and position masks

	isMatch    [256]uint16 // state<<4 | position
	isRep      [16]uint16
	isRep0     [16]uint16
	isRep1     [16]uint16
	isRep2     [16]uint16
	isRep0Long [256]uint16 // state<<4 | position
	distSlot   [4][64]uint16
	distMid    [128]uint16
	distAlign  [16]uint16
	matchLen   lengthModel
	repLen     lengthModel
	literal    [16][0x300]uint16
}

func fill(p []uint16) {
	for i := range p {
		p[i] = probInit
	}
}

func (m *lengthModel) reset() {
	m.choice, m.choice2 = probInit, probInit
	for i := range m.low {
		fill(m.low[i][:])
		fill(m.mid[i][:])
	}
	fill(m.high[:])
}

// reset forgets everything learnt, but not the properties.
func (d *lzma) reset() {
	d.rep = [4]uint64{}
	d.state = 0
	fill(d.isMatch[:])
	fill(d.isRep[:])
	fill(d.isRep0[:])
	fill(d.isRep1[:])
	fill(d.isRep2[:])
	fill(d.isRep0Long[:])
	for i := range d.distSlot {
		fill(d.distSlot[i][:])
	}
	fill(d.distMid[:])
	fill(d.distAlign[:])
	d.matchLen.reset()
	d.repLen.reset()
	for i := range d.literal {
		fill(d.literal[i][:])
	}
}

// setProperties takes the byte (pb*5 + lp)*9 + lc; LZMA2 allows lc+lp <= 4.
func (d *lzma) setProperties(b byte) bool {
	if b > (4*5+4)*9+8 {
		return false
	}
	lc, lp, pb := uint(b%9), uint(b/9%5), uint(b/45)
	if lc+lp > 4 {
		return false
	}
	d.lc, d.lpMask, d.pbMask = lc, 1<<lp-1, 1<<pb-1
	return true
}

// The range coder's state is three values (range, code, input position) which
// the functions below take and return, so that they stay in registers. All of
// it is 64 bits wide for the sake of the sign in bit; range and code of a valid
// stream fit in 32.

// normalize takes another byte of input when the range is used up.
func normalize(rng, code uint64, in []byte, ip int) (uint64, uint64, int) {
	if rng < rangeTop {
		return rng << 8, code<<8 | uint64(in[ip]), ip + 1
	}
	return rng, code, ip
}

// bit decodes one bit with the probability p and adapts p. It returns all ones
// for a 0 and zero for a 1: LZMA's bits are close to random to a branch
// predictor, so what depends on them is computed with this mask instead.
func bit(p *uint16, rng, code uint64) (mask, rng1, code1 uint64) {
	v := uint64(*p)
	bound := rng >> 11 * v
	code -= bound
	mask = uint64(int64(code) >> 63)
	rng -= bound
	// A 0 moves p up by (2048-p)/32, a 1 down by p/32, both rounded down.
	*p = uint16(v - uint64(int64(v+mask&^(2048-32))>>5))
	return mask, rng ^ (rng^bound)&mask, code + bound&mask
}

// tree3, tree6 and tree8 decode a symbol of so many bits, highest first. The
// result has a leading 1 above them.
func tree3(probs *[8]uint16, rng, code uint64, in []byte, ip int) (sym, rng1, code1 uint64, ip1 int) {
	var m uint64
	for sym = 1; sym < 8; sym = sym<<1 + 1 + m {
		rng, code, ip = normalize(rng, code, in, ip)
		m, rng, code = bit(&probs[sym], rng, code)
	}
	return sym, rng, code, ip
}

func tree6(probs *[64]uint16, rng, code uint64, in []byte, ip int) (sym, rng1, code1 uint64, ip1 int) {
	var m uint64
	for sym = 1; sym < 64; sym = sym<<1 + 1 + m {
		rng, code, ip = normalize(rng, code, in, ip)
		m, rng, code = bit(&probs[sym], rng, code)
	}
	return sym, rng, code, ip
}

func tree8(probs *[256]uint16, rng, code uint64, in []byte, ip int) (sym, rng1, code1 uint64, ip1 int) {
	var m uint64
	for sym = 1; sym < 256; sym = sym<<1 + 1 + m {
		rng, code, ip = normalize(rng, code, in, ip)
		m, rng, code = bit(&probs[sym], rng, code)
	}
	return sym, rng, code, ip
}

// length decodes a match length.
func (m *lengthModel) length(pos uint64, rng, code uint64, in []byte, ip int) (n, rng1, code1 uint64, ip1 int) {
	var mask uint64
	rng, code, ip = normalize(rng, code, in, ip)
	mask, rng, code = bit(&m.choice, rng, code)
	if mask != 0 {
		n, rng, code, ip = tree3(&m.low[pos&15], rng, code, in, ip)
		return n - 8 + matchLenMin, rng, code, ip
	}
	rng, code, ip = normalize(rng, code, in, ip)
	mask, rng, code = bit(&m.choice2, rng, code)
	if mask != 0 {
		n, rng, code, ip = tree3(&m.mid[pos&15], rng, code, in, ip)
		return n - 8 + matchLenMin + 8, rng, code, ip
	}
	n, rng, code, ip = tree8(&m.high, rng, code, in, ip)
	return n - 256 + matchLenMin + 16, rng, code, ip
}

// distance decodes a new match distance, less one, for a match of n bytes.
func (d *lzma) distance(n uint64, rng, code uint64, in []byte, ip int) (dist, rng1, code1 uint64, ip1 int) {
	var m, slot uint64
	slot, rng, code, ip = tree6(&d.distSlot[min(n-matchLenMin, 3)], rng, code, in, ip)
	slot -= 64
	if slot < 4 {
		return slot, rng, code, ip
	}
	low := slot>>1 - 1 // bits below the slot's two
	dist = 2 + slot&1
	if slot < 14 {
		dist <<= low
		base, sym := dist-slot, uint64(1)
		for i := range low {
			rng, code, ip = normalize(rng, code, in, ip)
			m, rng, code = bit(&d.distMid[(base+sym)&127], rng, code)
			sym = sym<<1 + 1 + m
			dist += (1 + m) << i
		}
		return dist, rng, code, ip
	}
	for range low - 4 {
		rng, code, ip = normalize(rng, code, in, ip)
		rng >>= 1
		code -= rng
		m = uint64(int64(code) >> 63)
		code += rng & m
		dist = dist<<1 + 1 + m
	}
	dist <<= 4
	sym := uint64(1)
	for i := range 4 {
		rng, code, ip = normalize(rng, code, in, ip)
		m, rng, code = bit(&d.distAlign[sym&15], rng, code)
		sym = sym<<1 + 1 + m
		dist += (1 + m) << i
	}
	return dist, rng, code, ip
}
