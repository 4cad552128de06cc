package core

import "github.com/btfgen/btfgen/btf"

// maxTypeDepth is how far libbpf follows types that it compares, and how deep
// prototypes and structs may nest in them.
const maxTypeDepth = 32

// compatible tells whether a target type can stand for a local one as far as
// type_exists, type_size and the type ids go: __bpf_core_types_are_compat.
// Names have been compared by the caller.
func compatible(lt *types, local btf.ID, tt *types, target btf.ID, level int) (verdict, flaw) {
	tt.touch(target, ItemSelf)
	if !sameKind(lt.Kind(local), tt.Kind(target)) {
		return noMatch, flawNone
	}
	for range maxTypeDepth {
		var lk, tk btf.Kind
		var ok bool
		if local, lk, ok = lt.skip(local); !ok {
			return failed, flawBadType
		}
		if target, tk, ok = tt.skip(target); !ok {
			return failed, flawBadType
		}
		if !sameKind(lk, tk) {
			return noMatch, flawNone
		}
		switch lk {
		case btf.KindVoid, btf.KindStruct, btf.KindUnion, btf.KindEnum, btf.KindFwd, btf.KindEnum64:
			return matches, flawNone
		case btf.KindInt:
			return yes(lt.Int(local).BitOffset == 0 && tt.Int(target).BitOffset == 0), flawNone
		case btf.KindPtr:
			tt.touch(target, ItemAll)
			local, target = lt.Ref(local), tt.Ref(target)
		case btf.KindArray:
			tt.touch(tt.Array(target).Index, ItemSelf)
			local, target = lt.Array(local).Elem, tt.Array(target).Elem
		case btf.KindFuncProto:
			tt.touch(target, ItemAll)
			n := lt.Vlen(local)
			if n != tt.Vlen(target) {
				return noMatch, flawNone
			}
			for i := range n {
				if level <= 0 {
					return failed, flawTooDeep
				}
				l, _, ok := lt.skip(lt.Param(local, i).Type)
				if !ok {
					return failed, flawBadType
				}
				t, _, ok := tt.skip(tt.Param(target, i).Type)
				if !ok {
					return failed, flawBadType
				}
				if v, f := compatible(lt, l, tt, t, level-1); v != matches {
					return v, f
				}
			}
			local, target = lt.Ref(local), tt.Ref(target)
		default:
			return noMatch, flawNone
		}
	}
	return failed, flawTooDeep
}

// typesMatch is __bpf_core_types_match: compatible, and names, sizes and
// members too, as far as they are not behind a pointer.
func typesMatch(lt *types, local btf.ID, tt *types, target btf.ID, behindPtr bool, level int) (verdict, flaw) {
	if level <= 0 {
		return failed, flawTooDeep
	}
	for range maxTypeDepth {
		var lk, tk btf.Kind
		var ok bool
		if local, lk, ok = lt.skip(local); !ok {
			return failed, flawBadType
		}
		if target, tk, ok = tt.skip(target); !ok {
			return failed, flawBadType
		}
		if !namesMatch(lt.NameBytes(local), tt.NameBytes(target)) {
			return noMatch, flawNone
		}
		lf, tf := lt.KindFlag(local), tt.KindFlag(target)
		switch lk {
		case btf.KindVoid:
			return yes(tk == btf.KindVoid), flawNone
		case btf.KindFwd:
			if tk == btf.KindFwd {
				return yes(lf == tf), flawNone
			}
			return yes(behindPtr && (tk == btf.KindStruct && !lf || tk == btf.KindUnion && lf)), flawNone
		case btf.KindEnum, btf.KindEnum64:
			if !tk.IsEnum() {
				return noMatch, flawNone
			}
			return yes(enumsMatch(lt, local, tt, target)), flawNone
		case btf.KindStruct, btf.KindUnion:
			if behindPtr {
				return yes(lk == tk || tk == btf.KindFwd && (lk == btf.KindUnion) == tf), flawNone
			}
			if lk != tk {
				return noMatch, flawNone
			}
			return compositesMatch(lt, local, tt, target, behindPtr, level)
		case btf.KindInt:
			if tk != btf.KindInt {
				return noMatch, flawNone
			}
			return yes(lt.BTF.Size(local) == tt.BTF.Size(target) &&
				(lt.Int(local).Encoding^tt.Int(target).Encoding)&btf.Signed == 0), flawNone
		case btf.KindPtr:
			if tk != btf.KindPtr {
				return noMatch, flawNone
			}
			behindPtr = true
			tt.touch(target, ItemAll)
			local, target = lt.Ref(local), tt.Ref(target)
		case btf.KindArray:
			if tk != btf.KindArray || lt.Array(local).Nelems != tt.Array(target).Nelems {
				return noMatch, flawNone
			}
			tt.touch(tt.Array(target).Index, ItemSelf)
			local, target = lt.Array(local).Elem, tt.Array(target).Elem
		case btf.KindFuncProto:
			if tk != btf.KindFuncProto || lt.Vlen(local) != tt.Vlen(target) {
				return noMatch, flawNone
			}
			tt.touch(target, ItemAll)
			for i := range lt.Vlen(local) {
				v, f := typesMatch(lt, lt.Param(local, i).Type, tt, tt.Param(target, i).Type, behindPtr, level-1)
				if v != matches {
					return v, f
				}
			}
			local, target = lt.Ref(local), tt.Ref(target)
		default:
			return noMatch, flawNone
		}
	}
	return failed, flawTooDeep
}

// namesMatch compares essential names; a name and none are different.
func namesMatch(local, target []byte) bool {
	if len(target) == 0 {
		return len(local) == 0
	}
	return string(local[:essentialLen(local)]) == string(target[:essentialLen(target)])
}

func enumsMatch(lt *types, local btf.ID, tt *types, target btf.ID) bool {
	tt.touch(target, ItemAll)
	n := lt.Vlen(local)
	if lt.BTF.Size(local) != tt.BTF.Size(target) || n > tt.Vlen(target) {
		return false
	}
	for i := range n {
		name, found := lt.StringBytes(lt.Enumerator(local, i).NameOff), false
		for j := range tt.Vlen(target) {
			if found = namesMatch(name, tt.StringBytes(tt.Enumerator(target, j).NameOff)); found {
				break
			}
		}
		if !found {
			return false
		}
	}
	return true
}

func compositesMatch(lt *types, local btf.ID, tt *types, target btf.ID, behindPtr bool, level int) (verdict, flaw) {
	tt.touch(target, ItemAll)
	n := lt.Vlen(local)
	if n > tt.Vlen(target) {
		return noMatch, flawNone
	}
	for i := range n {
		lm, found := lt.Member(local, i), false
		name := lt.StringBytes(lm.NameOff)
		for j := range tt.Vlen(target) {
			tm := tt.Member(target, j)
			if !namesMatch(name, tt.StringBytes(tm.NameOff)) {
				continue
			}
			v, f := typesMatch(lt, lm.Type, tt, tm.Type, behindPtr, level-1)
			if v == failed {
				return v, f
			}
			if found = v == matches; found {
				break
			}
		}
		if !found {
			return noMatch, flawNone
		}
	}
	return matches, flawNone
}
