//! What a shader needs beyond WebGPU's core. Nothing is declared: a feature is needed where naga refuses the WGSL without it,
//! as a device would.

use naga::front::wgsl::{Frontend, Options};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{CooperativeRole, Module, Scalar, TypeInner};

/// Features that a variant may use and the table's names for them; which of them it does use is found by leaving each out.
const OPTIONAL: [(Capabilities, Option<&str>); 4] = [
    (Capabilities::SHADER_FLOAT16, Some("F16")),
    (Capabilities::SUBGROUP, Some("Subgroups")),
    (Capabilities::IMMEDIATES, Some("Immediates")),
    (Capabilities::COOPERATIVE_MATRIX, None),
];

/// All features that a variant may use.
pub fn optional() -> Capabilities {
    OPTIONAL.iter().fold(Capabilities::empty(), |all, &(capability, _)| all | capability)
}

/// The features that a valid module needs, as Rust of `Need`.
///
/// # Errors
/// Cooperative matrices of more than one shape, or of other types than f16 and f32.
pub fn of(module: &Module, source: &str) -> Result<Vec<String>, String> {
    OPTIONAL
        .into_iter()
        .filter(|&(capability, _)| read(source, optional() - capability).is_err())
        .map(|(_, need)| need.map_or_else(|| cooperative_matrix(module), |need| Ok(format!("Need::{need}"))))
        .collect()
}

/// Parses and validates WGSL for a device with the given features.
pub fn read(source: &str, capabilities: Capabilities) -> Result<(Module, ModuleInfo), String> {
    let options = Options { capabilities, ..Options::new() };
    let module = Frontend::new_with_options(options).parse(source).map_err(|failure| failure.emit_to_string(source))?;
    let info = Validator::new(ValidationFlags::all(), capabilities).validate(&module).map_err(|failure| failure.emit_to_string(source))?;
    Ok((module, info))
}

/// The one shape of cooperative matrices in a module, as Rust of `Need`.
fn cooperative_matrix(module: &Module) -> Result<String, String> {
    let of_role = |wanted| {
        let mut found = module.types.iter().filter_map(|(_, ty)| match ty.inner {
            TypeInner::CooperativeMatrix { columns, rows, scalar, role } if role == wanted => Some((rows as u32, columns as u32, scalar)),
            _ => None,
        });
        found.next().filter(|_| found.next().is_none()).ok_or(format!("not just one cooperative matrix of role {wanted:?}"))
    };
    let scalar = |scalar| match scalar {
        Scalar::F16 => Ok("wgpu::CooperativeScalarType::F16"),
        Scalar::F32 => Ok("wgpu::CooperativeScalarType::F32"),
        _ => Err("cooperative matrices may hold f16 and f32 alone"),
    };
    let ((m, k, factors), (_, n, _), (_, _, sum)) =
        (of_role(CooperativeRole::A)?, of_role(CooperativeRole::B)?, of_role(CooperativeRole::C)?);
    let (factors, sum) = (scalar(factors)?, scalar(sum)?);
    Ok(format!("Need::CooperativeMatrix {{ m: {m}, n: {n}, k: {k}, factors: {factors}, sum: {sum} }}"))
}
