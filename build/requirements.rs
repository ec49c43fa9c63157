//! What a shader needs beyond WebGPU's core. Nothing is declared: a feature is needed where naga refuses the WGSL without it,
//! as a device would.

use naga::front::wgsl::{Frontend, Options};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{CooperativeRole, Module, Scalar, TypeInner};

/// Features that a variant may use and the table's names for them; which of them it does use is found by leaving each out.
const OPTIONAL: [(Capabilities, Option<&str>); 4] = [
    (Capabilities::SHADER_FLOAT16, Some("F16")),
    (Capabilities::SHADER_INT64, Some("Int64")),
    (Capabilities::SUBGROUP, Some("Subgroups")),
    (Capabilities::COOPERATIVE_MATRIX, None),
];

/// All features that a variant may use.
pub fn optional() -> Capabilities {
    OPTIONAL.iter().fold(Capabilities::empty(), |all, &(capability, _)| all | capability)
}

/// The features that a valid module needs, as Rust of `Requirement`.
///
/// # Errors
/// Cooperative matrices of more than one shape, or of other types than f16 and f32.
pub fn of(module: &Module, info: &ModuleInfo, source: &str) -> Result<Vec<String>, String> {
    OPTIONAL
        .into_iter()
        .filter(|&(capability, _)| read(source, optional() - capability).is_err())
        .map(|(_, need)| need.map_or_else(|| cooperative_matrix(module, info), |need| Ok(format!("Requirement::{need}"))))
        .collect()
}

/// Whether a feature, as Rust of `Requirement`, is wgpu's alone and not in WebGPU.
pub fn no_browser_has(need: &str) -> bool {
    !["Requirement::F16", "Requirement::Subgroups"].contains(&need)
}

/// Parses and validates WGSL for a device with the given features.
pub fn read(source: &str, capabilities: Capabilities) -> Result<(Module, ModuleInfo), String> {
    let options = Options { capabilities, ..Options::new() };
    let module = Frontend::new_with_options(options).parse(source).map_err(|failure| failure.emit_to_string(source))?;
    let info = Validator::new(ValidationFlags::all(), capabilities).validate(&module).map_err(|failure| failure.emit_to_string(source))?;
    Ok((module, info))
}

/// The one shape of cooperative matrices in a module, as Rust of `Requirement`.
fn cooperative_matrix(module: &Module, info: &ModuleInfo) -> Result<String, String> {
    let functions = module.functions.iter().map(|(handle, function)| (&info[handle], function));
    let entries = module.entry_points.iter().enumerate().map(|(index, entry)| (info.get_entry_point(index), &entry.function));
    let mut matrices = Vec::new();
    for (info, function) in functions.chain(entries) {
        for (handle, _) in function.expressions.iter() {
            if let &TypeInner::CooperativeMatrix { columns, rows, scalar, role } = info[handle].ty.inner_with(&module.types) {
                matrices.push((role, (rows as u32, columns as u32, scalar)));
            }
        }
    }
    let of_role = |wanted| {
        let mut found = matrices.iter().filter(|(role, _)| *role == wanted).map(|&(_, matrix)| matrix);
        let first = found.next().ok_or(format!("no cooperative matrix of role {wanted:?}"))?;
        found.all(|matrix| matrix == first).then_some(first).ok_or(format!("cooperative matrices of two shapes in role {wanted:?}"))
    };
    let scalar = |scalar| match scalar {
        Scalar::F16 => Ok("wgpu::CooperativeScalarType::F16"),
        Scalar::F32 => Ok("wgpu::CooperativeScalarType::F32"),
        _ => Err("cooperative matrices may hold f16 and f32 alone"),
    };
    let ((m, k, factors), (_, n, _), (_, _, sum)) =
        (of_role(CooperativeRole::A)?, of_role(CooperativeRole::B)?, of_role(CooperativeRole::C)?);
    let (factors, sum) = (scalar(factors)?, scalar(sum)?);
    Ok(format!("Requirement::CooperativeMatrix {{ m: {m}, n: {n}, k: {k}, factors: {factors}, sum: {sum} }}"))
}
