//! No name in a shader is one that a target's compiler keeps for itself, unless naga renames it on the way there. naga knows most of
//! these words, not all: a buffer called `dx` reached DX12 under its own name, where the compiler has a namespace `dx`.

use std::collections::BTreeSet;

use mcsan::backend::gpu::shader::{PEAKS, SHADERS};
use naga::back::{glsl, hlsl, msl};
use naga::valid::ModuleInfo;
use naga::{Function, Module, ShaderStage, TypeInner};

use super::parse;

/// A language that shaders are translated to, and what its compilers keep: keywords, reserved words, and types, functions and
/// namespaces that are there without being asked for.
struct Language {
    name: &'static str,
    kept: BTreeSet<String>,
    translate: fn(&Module, &ModuleInfo) -> String,
}

fn languages() -> [Language; 4] {
    let words = |lists: &[&str]| lists.iter().flat_map(|list| list.split_whitespace()).map(String::from).collect::<BTreeSet<_>>();
    let with = |mut kept: BTreeSet<String>, shaped: Vec<String>| {
        kept.extend(shaped);
        kept
    };
    let glsl_45 = with(words(&[GLSL, GLSL_DESKTOP]), shaped("vec ivec uvec bvec dvec hvec fvec", "mat dmat"));
    [
        Language { name: "HLSL", kept: with(words(&[CPP, HLSL]), shaped(HLSL_SCALARS, HLSL_SCALARS)), translate: to_hlsl },
        Language {
            name: "MSL",
            kept: with(words(&[CPP, MSL]), shaped(MSL_SCALARS, "half float matrix_half matrix_float simd_half simd_float")),
            translate: to_msl,
        },
        Language { name: "GLSL ES 3.1", kept: with(words(&[GLSL]), shaped("vec ivec uvec bvec", "mat")), translate: to_glsl_es },
        Language { name: "GLSL 4.5", kept: glsl_45, translate: to_glsl },
    ]
}

/// Types of vectors and matrices: `float2`, `float4x4`, and for a base that has sizes alone (`mat`) `mat2` and `mat4x4` too.
fn shaped(vectors: &str, matrices: &str) -> Vec<String> {
    let vectors = vectors.split_whitespace().flat_map(|base| (1..=4).map(move |size| format!("{base}{size}")));
    let sizes = || (1..=4).flat_map(|columns| (1..=4).map(move |rows| (columns, rows)));
    let matrices = matrices.split_whitespace().flat_map(|base| {
        let squares = (1..=4).map(move |size| format!("{base}{size}"));
        sizes().map(move |(columns, rows)| format!("{base}{columns}x{rows}")).chain(squares)
    });
    vectors.chain(matrices).collect()
}

/// C++14, on which MSL stands and DXC's front end is built: keywords and the alternative tokens (ISO/IEC 14882:2014, [lex.key],
/// [lex.digraph]), and what C's headers define.
const CPP: &str = "
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t class compl const const_cast constexpr
    continue decltype default delete do double dynamic_cast else enum explicit export extern false float for friend goto if inline int
    long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register reinterpret_cast return
    short signed sizeof static static_assert static_cast struct switch template this thread_local throw true try typedef typeid typename
    union unsigned using virtual void volatile wchar_t while xor xor_eq std assert NULL
    int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t size_t ptrdiff_t";

/// Scalars of HLSL (Microsoft's "Scalar Types" and DXC's fixed widths), each with its vectors and matrices.
const HLSL_SCALARS: &str = "bool int uint dword half float double min10float min12int min16float min16int min16uint
    int16_t int32_t int64_t uint16_t uint32_t uint64_t float16_t float32_t float64_t vector";

/// DXC's namespaces, then the types, keywords and reserved words, and functions of Microsoft's reference ("Keywords", "Reserved Words",
/// "Intrinsic Functions"), with those of shader models 6.0 to 6.8.
const HLSL: &str = "
    dx vk hlsl linalg
    AppendStructuredBuffer BlendState Buffer ByteAddressBuffer CompileShader ComputeShader ConstantBuffer ConsumeStructuredBuffer
    DepthStencilState DepthStencilView DomainShader FeedbackTexture2D FeedbackTexture2DArray GeometryShader HullShader Hullshader
    InputPatch LineStream OutputPatch PixelShader PointStream RasterizerOrderedBuffer RasterizerOrderedByteAddressBuffer
    RasterizerOrderedStructuredBuffer RasterizerOrderedTexture1D RasterizerOrderedTexture1DArray RasterizerOrderedTexture2D
    RasterizerOrderedTexture2DArray RasterizerOrderedTexture3D RasterizerState RaytracingAccelerationStructure RayDesc RayQuery
    RenderTargetView ResourceDescriptorHeap RWBuffer RWByteAddressBuffer RWStructuredBuffer RWTexture1D RWTexture1DArray RWTexture2D
    RWTexture2DArray RWTexture2DMS RWTexture2DMSArray RWTexture3D SamplerComparisonState SamplerDescriptorHeap SamplerState StructuredBuffer
    Texture1D Texture1DArray Texture2D Texture2DArray Texture2DMS Texture2DMSArray Texture3D TextureBuffer TextureCube TextureCubeArray
    TriangleStream VertexShader WaveMatrixLeft WaveMatrixRight WaveMatrixLeftColAcc WaveMatrixRightRowAcc WaveMatrixAccumulator
    DispatchNodeInputRecord GroupNodeInputRecords ThreadNodeInputRecord NodeOutput NodeOutputArray EmptyNodeInput EmptyNodeOutput
    asm_fragment cbuffer centroid center column_major compile compile_fragment decl discard dword fxgroup globallycoherent groupshared half
    in indices inout interface line lineadj linear matrix nointerpolation noperspective out packoffset pass payload pixelfragment point
    precise primitives reordercoherent row_major sample sampler sampler_state sampler1D sampler2D sampler3D samplerCUBE shared snorm
    stateblock stateblock_state string tbuffer technique technique10 technique11 texture texture1D texture2D texture3D textureCUBE triangle
    triangleadj uint uniform unorm vector vertexfragment vertices
    min10float min12int min16float min16int min16uint float16_t float32_t float64_t int8_t4_packed uint8_t4_packed
    abort abs acos all AllMemoryBarrier AllMemoryBarrierWithGroupSync any asdouble asfloat asfloat16 asin asint asint16 asuint asuint16
    atan atan2 Barrier ceil CheckAccessFullyMapped clamp clip cos cosh countbits cross D3DCOLORtoUBYTE4 ddx ddx_coarse ddx_fine ddy
    ddy_coarse ddy_fine degrees determinant DeviceMemoryBarrier DeviceMemoryBarrierWithGroupSync distance dot dot2add dot4add_i8packed
    dot4add_u8packed dst errorf EvaluateAttributeAtSample EvaluateAttributeCentroid EvaluateAttributeSnapped exp exp2 f16tof32 f32tof16
    faceforward firstbithigh firstbitlow floor fma fmod frac frexp fwidth GetAttributeAtVertex GetRenderTargetSampleCount
    GetRenderTargetSamplePosition GroupMemoryBarrier GroupMemoryBarrierWithGroupSync InterlockedAdd InterlockedAnd
    InterlockedCompareExchange InterlockedCompareExchangeFloatBitwise InterlockedCompareStore InterlockedCompareStoreFloatBitwise
    InterlockedExchange InterlockedMax InterlockedMin InterlockedOr InterlockedXor IsHelperLane isfinite isinf isnan ldexp length lerp lit
    log log10 log2 mad max min modf msad4 mul noise NonUniformResourceIndex normalize pack_clamp_s8 pack_clamp_u8 pack_s8 pack_u8 pow
    printf QuadAll QuadAny QuadReadAcrossDiagonal QuadReadAcrossX QuadReadAcrossY QuadReadLaneAt radians rcp reflect refract reversebits
    round rsqrt saturate select sign sin sincos sinh smoothstep source_mark sqrt step tan tanh tex1D tex2D tex3D texCUBE transpose trunc
    unpack_s8s16 unpack_s8s32 unpack_u8u16 unpack_u8u32 WaveActiveAllEqual WaveActiveAllTrue WaveActiveAnyTrue WaveActiveBallot
    WaveActiveBitAnd WaveActiveBitOr WaveActiveBitXor WaveActiveCountBits WaveActiveMax WaveActiveMin WaveActiveProduct WaveActiveSum
    WaveGetLaneCount WaveGetLaneIndex WaveIsFirstLane WaveMatch WaveMultiPrefixSum WavePrefixCountBits WavePrefixProduct WavePrefixSum
    WaveReadLaneAt WaveReadLaneFirst";

/// Scalars and packed scalars of the Metal Shading Language Specification (2.1 to 2.3), and <simd/simd.h>'s names for them, each with its
/// vectors and matrices.
const MSL_SCALARS: &str = "bool char uchar short ushort int uint long ulong half bfloat float vec
    packed_char packed_uchar packed_short packed_ushort packed_int packed_uint packed_long packed_ulong packed_half packed_bfloat
    packed_float
    vector_char vector_uchar vector_short vector_ushort vector_int vector_uint vector_half vector_float
    simd_char simd_uchar simd_short simd_ushort simd_int simd_uint simd_half simd_float";

/// Namespaces, attributes and types of the same specification (chapters 2, 4 and 5), and the macros of its limits (2.1, 6.5). Functions
/// lie in the namespace `metal`, by which naga calls them: their names are free.
const MSL: &str = "
    main metal simd raytracing mesh visible_function_table intersection_function_table
    kernel vertex fragment device constant thread threadgroup threadgroup_imageblock ray_data object_data restrict patch access as_type
    uchar ushort uint ulong half bfloat llong ullong quad complex imaginary vec matrix packed_vec atomic atomic_bool atomic_int atomic_uint
    atomic_ulong atomic_float texture1d texture2d texture3d texturecube depth2d depthcube sampler array imageblock
    CHAR_BIT CHAR_MAX CHAR_MIN INT_MAX INT_MIN UINT_MAX LONG_MAX LONG_MIN ULONG_MAX FLT_MAX FLT_MIN FLT_EPSILON HALF_MAX HALF_MIN
    HALF_EPSILON MAXFLOAT MAXHALF HUGE_VALF HUGE_VALH INFINITY NAN M_E_F M_PI_F M_PI_2_F M_PI_4_F M_SQRT2_F M_LN2_F M_LN10_F";

/// Keywords, words reserved for the future (section 3.7) and functions (section 8) of the OpenGL ES Shading Language 3.10.
const GLSL: &str = "
    const uniform buffer shared coherent volatile restrict readonly writeonly atomic_uint layout centroid flat smooth break continue do for
    while switch case default if else in out inout float int void bool true false invariant precise discard return lowp mediump highp
    precision struct uint sampler2D sampler3D samplerCube sampler2DShadow samplerCubeShadow sampler2DArray sampler2DArrayShadow
    isampler2D isampler3D isamplerCube isampler2DArray usampler2D usampler3D usamplerCube usampler2DArray sampler2DMS isampler2DMS
    usampler2DMS image2D iimage2D uimage2D image3D iimage3D uimage3D imageCube iimageCube uimageCube image2DArray iimage2DArray
    uimage2DArray attribute varying resource noperspective patch sample subroutine common partition active asm class union enum typedef
    template this goto inline noinline public static extern external interface long short double half fixed unsigned superp input output
    filter sizeof cast namespace using sampler1D sampler1DShadow sampler2DRect sampler3DRect image1D imageBuffer main
    radians degrees sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh pow exp log exp2 log2 sqrt inversesqrt abs sign floor trunc
    round roundEven ceil fract mod modf min max clamp mix step smoothstep isnan isinf floatBitsToInt floatBitsToUint intBitsToFloat
    uintBitsToFloat frexp ldexp packUnorm2x16 packSnorm2x16 packUnorm4x8 packSnorm4x8 packHalf2x16 unpackUnorm2x16 unpackSnorm2x16
    unpackUnorm4x8 unpackSnorm4x8 unpackHalf2x16 length distance dot cross normalize faceforward reflect refract matrixCompMult outerProduct
    transpose determinant inverse lessThan lessThanEqual greaterThan greaterThanEqual equal notEqual any all not uaddCarry usubBorrow
    umulExtended imulExtended bitfieldExtract bitfieldInsert bitfieldReverse bitCount findLSB findMSB textureSize texture textureProj
    textureLod textureOffset texelFetch texelFetchOffset textureGrad textureGather atomicCounter atomicCounterIncrement
    atomicCounterDecrement atomicAdd atomicMin atomicMax atomicAnd atomicOr atomicXor atomicExchange atomicCompSwap imageSize imageLoad
    imageStore dFdx dFdy fwidth barrier memoryBarrier memoryBarrierAtomicCounter memoryBarrierBuffer memoryBarrierImage memoryBarrierShared
    groupMemoryBarrier";

/// What the OpenGL Shading Language 4.50 adds to them (sections 3.6 and 8).
const GLSL_DESKTOP: &str = "
    sampler1DArray sampler1DArrayShadow samplerBuffer isamplerBuffer usamplerBuffer samplerCubeArray sampler2DMSArray image1DArray
    imageCubeArray image2DMS image2DMSArray image2DRect row_major
    fma packDouble2x32 unpackDouble2x32 ftransform textureQueryLod textureQueryLevels textureSamples noise1 noise2 noise3 noise4 dFdxFine
    dFdyFine dFdxCoarse dFdyCoarse fwidthFine fwidthCoarse EmitVertex EndPrimitive EmitStreamVertex EndStreamPrimitive anyInvocation
    allInvocations allInvocationsEqual";

fn to_hlsl(module: &Module, info: &ModuleInfo) -> String {
    let mut text = String::new();
    hlsl::Writer::new(&mut text, &hlsl::Options::default(), &hlsl::PipelineOptions::default()).write(module, info, None).unwrap();
    text
}

fn to_msl(module: &Module, info: &ModuleInfo) -> String {
    msl::write_string(module, info, &msl::Options::default(), &msl::PipelineOptions::default()).unwrap().0
}

fn to_glsl_version(module: &Module, info: &ModuleInfo, version: glsl::Version) -> String {
    let options = glsl::Options { version, ..Default::default() };
    let pipeline = glsl::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: "probe".into(), multiview: None };
    let mut text = String::new();
    glsl::Writer::new(&mut text, module, info, &options, &pipeline, Default::default()).unwrap().write().unwrap();
    text
}

fn to_glsl_es(module: &Module, info: &ModuleInfo) -> String {
    to_glsl_version(module, info, glsl::Version::Embedded { version: 310, is_webgl: false })
}

fn to_glsl(module: &Module, info: &ModuleInfo) -> String {
    to_glsl_version(module, info, glsl::Version::Desktop(450))
}

/// Where a name stands: translators treat the members of structs apart from all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Member,
    Other,
}

/// Every name that a module gives.
fn names(module: &Module) -> BTreeSet<(String, Kind)> {
    let of_function = |function: &Function| {
        let arguments = function.arguments.iter().filter_map(|argument| argument.name.clone());
        let locals = function.local_variables.iter().filter_map(|(_, local)| local.name.clone());
        let values = function.named_expressions.values().cloned();
        function.name.clone().into_iter().chain(arguments).chain(locals).chain(values).collect::<Vec<_>>()
    };
    let functions = module.functions.iter().flat_map(|(_, function)| of_function(function));
    let entries = module.entry_points.iter().flat_map(|entry| [vec![entry.name.clone()], of_function(&entry.function)].concat());
    let globals = module.global_variables.iter().filter_map(|(_, global)| global.name.clone());
    let constants = module.constants.iter().filter_map(|(_, constant)| constant.name.clone());
    let types = module.types.iter().filter_map(|(_, kind)| kind.name.clone());
    let members = module.types.iter().flat_map(|(_, kind)| match &kind.inner {
        TypeInner::Struct { members, .. } => members.iter().filter_map(|member| member.name.clone()).collect(),
        _ => Vec::new(),
    });
    let others = functions.chain(entries).chain(globals).chain(constants).chain(types);
    others.map(|name| (name, Kind::Other)).chain(members.map(|name| (name, Kind::Member))).collect()
}

/// Whether naga gives something of this name another one on the way to a language.
fn is_renamed(language: &Language, name: &str, kind: Kind) -> bool {
    let probe = match kind {
        Kind::Other => format!("@compute @workgroup_size(1) fn probe() {{ var {name} = 1u; {name} += 1u; }}"),
        Kind::Member => format!(
            "struct Probed {{ {name}: u32 }}
            @compute @workgroup_size(1) fn probe() {{ var probed = Probed(1u); probed.{name} += 1u; }}"
        ),
    };
    let (module, info) = parse(&probe);
    let text = (language.translate)(&module, &info);
    let mut words = text.split(|letter: char| letter != '_' && !letter.is_ascii_alphanumeric());
    words.any(|word| word == format!("{name}_") || word == format!("gen_{name}"))
}

/// The names of a module that a language keeps and naga lets through.
fn kept_names(module: &Module) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for language in languages() {
        for (name, kind) in names(module) {
            if language.kept.contains(&name) && !is_renamed(&language, &name, kind) {
                found.push((language.name, name));
            }
        }
    }
    found
}

#[test]
fn no_shader_has_a_name_that_a_targets_compiler_keeps() {
    let mut found = BTreeSet::new();
    for shader in SHADERS.iter().chain(&PEAKS) {
        for variant in shader.variants {
            let kept = kept_names(&parse(variant.source).0);
            found.extend(kept.into_iter().map(|(language, name)| format!("{}.{}: {name} in {language}", shader.name, variant.name)));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_kept_name_is_found_wherever_it_stands_unless_naga_renames_it() {
    let kept = |source: &str| kept_names(&parse(source).0);
    let hlsl = |name: &str| vec![("HLSL", name.to_owned())];
    let main = "@compute @workgroup_size(1) fn main()";
    assert_eq!(kept(&format!("@group(0) @binding(0) var<storage, read_write> dx: array<f32>; {main} {{ dx[0] = 1.0; }}")), hlsl("dx"));
    assert_eq!(kept(&format!("{main} {{ let dx = 1.0; var y = dx; }}")), hlsl("dx"));
    assert_eq!(kept(&format!("fn sum(dx: f32) -> f32 {{ return dx; }} {main} {{ var y = sum(1.0); }}")), hlsl("dx"));
    assert_eq!(kept(&format!("fn dx() {{}} {main} {{ dx(); }}")), hlsl("dx"));
    assert_eq!(kept(&format!("struct Pair {{ dx: f32, y: f32 }} {main} {{ var pair: Pair; pair.dx = 1.0; }}")), hlsl("dx"));
    assert_eq!(kept(&format!("const dx: u32 = 2; {main} {{ var y = dx; }}")), hlsl("dx"));
    // What naga knows itself.
    assert_eq!(kept(&format!("{main} {{ var half = 1.0; var kernel = half; var input = kernel; }}")), []);
}
