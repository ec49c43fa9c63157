//! Optional features: found in the WGSL, compared with what an adapter offers, and a variant that lacks one refused.

use mcsan::backend::BackendError;
use mcsan::backend::gpu::shader::{Shader, ShaderVariant};
use mcsan::backend::gpu::{Capabilities, Requirement, check_requirements};
use wgpu::CooperativeScalarType::{F16, F32};

use super::build::requirements as reflected;

fn needs(source: &str) -> Result<Vec<String>, String> {
    let (module, info) = reflected::read(source, reflected::optional())?;
    reflected::of(&module, &info, source)
}

#[test]
fn needs_are_read_from_the_wgsl() {
    let main = |body: &str| format!("@compute @workgroup_size(8) fn main(@builtin(local_invocation_index) lane: u32) {{ {body} }}");
    assert_eq!(needs(&main("")), Ok(vec![]));
    assert_eq!(needs(&format!("enable f16;\n{}", main("var x = 1.0h;"))), Ok(vec!["Requirement::F16".into()]));
    assert_eq!(needs(&main("var x = subgroupAdd(lane);")), Ok(vec!["Requirement::Subgroups".into()]));
    assert_eq!(needs(&main("var x = u64(lane);")), Ok(vec!["Requirement::Int64".into()]));
    let product = |sum: &str| {
        format!(
            "enable f16; enable wgpu_cooperative_matrix;
            @group(0) @binding(0) var<storage, read> a: array<f16>;
            @group(0) @binding(1) var<storage, read> b: array<f16>;
            @group(0) @binding(2) var<storage, read_write> c: array<{sum}>;
            @compute @workgroup_size(32) fn main() {{
                let left = coopLoad<coop_mat16x16<f16, A>>(&a[0], 16u);
                let right = coopLoad<coop_mat16x16<f16, B>>(&b[0], 16u);
                let sum = coopMultiplyAdd(left, right, coopLoad<coop_mat16x16<{sum}, C>>(&c[0], 16u));
                coopStore(sum, &c[0], 16u);
            }}"
        )
    };
    let matrix = "Requirement::CooperativeMatrix { m: 16, n: 16, k: 16, factors: wgpu::CooperativeScalarType::F16, \
                  sum: wgpu::CooperativeScalarType::F32 }";
    assert_eq!(needs(&product("f32")), Ok(vec!["Requirement::F16".into(), matrix.into()]));
    assert_eq!(needs(&product("f16")), Ok(vec!["Requirement::F16".into(), matrix.replace("F32", "F16")]));
}

const MATRIX: Requirement = Requirement::CooperativeMatrix { m: 16, n: 16, k: 16, factors: F16, sum: F32 };

fn matrices(m_size: u32) -> wgpu::CooperativeMatrixProperties {
    wgpu::CooperativeMatrixProperties { m_size, n_size: 16, k_size: 16, ab_type: F16, cr_type: F32, saturating_accumulation: false }
}

#[test]
fn an_offer_meets_a_need_by_feature_and_by_shape() {
    let features = Requirement::F16.feature() | MATRIX.feature();
    let capabilities = Capabilities { features, matrices: vec![matrices(8)], ..Capabilities::default() };
    assert!(capabilities.meets(Requirement::F16) && !capabilities.meets(Requirement::Subgroups) && !capabilities.meets(MATRIX));
    assert!(Capabilities { features, matrices: vec![matrices(8), matrices(16)], ..Capabilities::default() }.meets(MATRIX));
    assert!(!Capabilities { features: Requirement::F16.feature(), matrices: vec![matrices(16)], ..Capabilities::default() }.meets(MATRIX));
}

#[test]
fn a_variant_that_lacks_a_feature_is_refused_by_name() {
    static SHADER: Shader = Shader {
        name: "product",
        variants: &[
            ShaderVariant { name: "matrices", source: "", requirements: &[Requirement::F16, MATRIX], footprints: &[] },
            ShaderVariant { name: "portable", source: "", requirements: &[], footprints: &[] },
        ],
        entries: &[],
    };
    let capabilities = Capabilities { features: Requirement::F16.feature(), matrices: Vec::new(), ..Capabilities::default() };
    let error = check_requirements(&SHADER, &SHADER.variants[0], &capabilities).unwrap_err();
    assert!(matches!(error, BackendError::Feature { kernel: "product", variant: "matrices", .. }), "{error}");
    assert!(error.to_string().contains("cooperative matrices 16x16x16 f16 to f32"), "{error}");
    assert_eq!(check_requirements(&SHADER, &SHADER.variants[1], &Capabilities::default()), Ok(()));
}
