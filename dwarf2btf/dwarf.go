package dwarf2btf

// Constants of the DWARF standards 2 to 5, and of the extensions of GNU and LLVM,
// as far as they are asked for here.

// Tags.
const (
	tagArrayType           = 0x01
	tagClassType           = 0x02
	tagEnumerationType     = 0x04
	tagFormalParameter     = 0x05
	tagMember              = 0x0d
	tagPointerType         = 0x0f
	tagReferenceType       = 0x10
	tagCompileUnit         = 0x11
	tagStructureType       = 0x13
	tagSubroutineType      = 0x15
	tagTypedef             = 0x16
	tagUnionType           = 0x17
	tagUnspecifiedParams   = 0x18
	tagInlinedSubroutine   = 0x1d
	tagPtrToMemberType     = 0x1f
	tagSubrangeType        = 0x21
	tagBaseType            = 0x24
	tagConstType           = 0x26
	tagEnumerator          = 0x28
	tagPackedType          = 0x2d
	tagSubprogram          = 0x2e
	tagVariable            = 0x34
	tagVolatileType        = 0x35
	tagDwarfProcedure      = 0x36
	tagRestrictType        = 0x37
	tagInterfaceType       = 0x38
	tagUnspecifiedType     = 0x3b
	tagPartialUnit         = 0x3c
	tagImportedUnit        = 0x3d
	tagSharedType          = 0x40
	tagTypeUnit            = 0x41
	tagRvalueReferenceType = 0x42
	tagTemplateAlias       = 0x43
	tagAtomicType          = 0x47
	tagCallSite            = 0x48
	tagSkeletonUnit        = 0x4a
	tagImmutableType       = 0x4b
	tagGNUCallSite         = 0x4109
	tagLLVMAnnotation      = 0x6000
)

// Attributes.
const (
	atSibling            = 0x01
	atLocation           = 0x02
	atName               = 0x03
	atByteSize           = 0x0b
	atBitOffset          = 0x0c
	atBitSize            = 0x0d
	atLanguage           = 0x13
	atImport             = 0x18
	atConstValue         = 0x1c
	atUpperBound         = 0x2f
	atAbstractOrigin     = 0x31
	atCount              = 0x37
	atDataMemberLocation = 0x38
	atDeclaration        = 0x3c
	atEncoding           = 0x3e
	atExternal           = 0x3f
	atSpecification      = 0x47
	atType               = 0x49
	atSignature          = 0x69
	atDataBitOffset      = 0x6b
	atStrOffsetsBase     = 0x72
	atAddrBase           = 0x73
	atDwoName            = 0x76
	atGNUDwoName         = 0x2130
)

// Forms.
const (
	formAddr          = 0x01
	formBlock2        = 0x03
	formBlock4        = 0x04
	formData2         = 0x05
	formData4         = 0x06
	formData8         = 0x07
	formString        = 0x08
	formBlock         = 0x09
	formBlock1        = 0x0a
	formData1         = 0x0b
	formFlag          = 0x0c
	formSdata         = 0x0d
	formStrp          = 0x0e
	formUdata         = 0x0f
	formRefAddr       = 0x10
	formRef1          = 0x11
	formRef2          = 0x12
	formRef4          = 0x13
	formRef8          = 0x14
	formRefUdata      = 0x15
	formIndirect      = 0x16
	formSecOffset     = 0x17
	formExprloc       = 0x18
	formFlagPresent   = 0x19
	formStrx          = 0x1a
	formAddrx         = 0x1b
	formRefSup4       = 0x1c
	formStrpSup       = 0x1d
	formData16        = 0x1e
	formLineStrp      = 0x1f
	formRefSig8       = 0x20
	formImplicitConst = 0x21
	formLoclistx      = 0x22
	formRnglistx      = 0x23
	formRefSup8       = 0x24
	formStrx1         = 0x25
	formStrx2         = 0x26
	formStrx3         = 0x27
	formStrx4         = 0x28
	formAddrx1        = 0x29
	formAddrx2        = 0x2a
	formAddrx3        = 0x2b
	formAddrx4        = 0x2c
	formGNUAddrIndex  = 0x1f01
	formGNUStrIndex   = 0x1f02
	formGNURefAlt     = 0x1f20
	formGNUStrpAlt    = 0x1f21
)

// Unit types of DWARF 5.
const (
	utCompile      = 0x01
	utType         = 0x02
	utPartial      = 0x03
	utSkeleton     = 0x04
	utSplitCompile = 0x05
	utSplitType    = 0x06
)

// Encodings of base types.
const (
	ateBoolean    = 0x02
	ateFloat      = 0x04
	ateSigned     = 0x05
	ateSignedChar = 0x06
)

// Languages that are left out: their types are not C's, and no BPF program asks for them.
const (
	langRust    = 0x1c
	langRustOld = 0x9000 // of compilers before DWARF had a number for it
)

// Operations of location expressions.
const (
	opAddr       = 0x03
	opConstu     = 0x10
	opPlusUconst = 0x23
	opAddrx      = 0xa1
	opGNUAddrx   = 0xfb // DW_OP_GNU_addr_index
)
