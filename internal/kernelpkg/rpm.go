package kernelpkg

const rpmMagic = "\xed\xab\xee\xdb"

func (p *Package) openRPM([]byte) error { return ErrUnsupported }
