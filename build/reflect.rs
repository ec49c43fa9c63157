//! What Rust must know of a validated module.

use std::collections::BTreeMap;

use naga::valid::{GlobalUse, ModuleInfo};
use naga::{AddressSpace, Module, Scalar, ScalarKind, StorageAccess, TypeInner};

/// A storage buffer of an entry point.
#[derive(Debug, Clone)]
pub struct Binding {
    pub index: u32,
    pub name: String,
    pub readable: bool,
    pub writable: bool,
    /// Rust type of what is bound: floats, and words of 64 bits that stand for two, are tensors, everything else words.
    pub element: &'static str,
}

impl Binding {
    /// What variants must agree on.
    pub fn place(&self) -> (u32, &str, bool, &str) {
        (self.index, &self.name, self.writable, self.element)
    }
}

/// The unsigned constants of a module (tile sizes and the like).
pub fn constants(module: &Module) -> BTreeMap<String, u32> {
    let value = |init| match module.global_expressions[init] {
        naga::Expression::Literal(naga::Literal::U32(value)) => Some(value),
        _ => None,
    };
    module.constants.iter().filter_map(|(_, constant)| Some((constant.name.clone()?, value(constant.init)?))).collect()
}

/// A member's name and Rust type.
pub type Member = (String, &'static str);

/// Members of the uniform `args`: scalars of four bytes, so that a Rust struct of them has the same layout.
pub fn arguments(module: &Module) -> Result<Vec<Member>, String> {
    let mut uniforms = module.global_variables.iter().filter(|(_, variable)| variable.space == AddressSpace::Uniform);
    let (_, args) = uniforms.next().ok_or("no uniform `args`")?;
    members(module, args.ty).ok_or_else(|| "`args` may hold u32 and f32 alone".into())
}

/// The structs that storage buffers are tables of, by name, as far as their members are scalars of four bytes.
pub fn tables(module: &Module) -> BTreeMap<String, Vec<Member>> {
    let storage = module.global_variables.iter().filter(|(_, variable)| matches!(variable.space, AddressSpace::Storage { .. }));
    let table = |ty| match module.types[ty].inner {
        TypeInner::Array { base, .. } => {
            // Of an imported one the path stands before the name.
            let name = module.types[base].name.as_deref()?.rsplit('_').next()?;
            Some((name.to_owned(), members(module, base)?))
        }
        _ => None,
    };
    storage.filter_map(|(_, variable)| table(variable.ty)).collect()
}

/// Members of a struct of scalars.
fn members(module: &Module, ty: naga::Handle<naga::Type>) -> Option<Vec<Member>> {
    let TypeInner::Struct { members, .. } = &module.types[ty].inner else { return None };
    let member = |member: &naga::StructMember| {
        let kind = match module.types[member.ty].inner {
            TypeInner::Scalar(Scalar::U32) => "u32",
            TypeInner::Scalar(Scalar::F32) => "f32",
            _ => return None,
        };
        Some((member.name.clone()?, kind))
    };
    members.iter().map(member).collect()
}

/// Storage buffers that an entry point uses, by rising index.
pub fn bindings(module: &Module, info: &ModuleInfo, entry: usize) -> Result<Vec<Binding>, String> {
    let uses = info.get_entry_point(entry);
    let mut bindings = Vec::new();
    for (handle, variable) in module.global_variables.iter().filter(|&(handle, _)| !uses[handle].is_empty()) {
        let AddressSpace::Storage { access } = variable.space else { continue };
        let place = variable.binding.ok_or("a storage buffer without @binding")?;
        let TypeInner::Array { base, .. } = module.types[variable.ty].inner else {
            return Err("a storage buffer that is no array".into());
        };
        bindings.push(Binding {
            index: place.binding,
            name: variable.name.clone().ok_or("a storage buffer without a name")?,
            readable: uses[handle].contains(GlobalUse::READ),
            writable: access.contains(StorageAccess::STORE),
            element: match module.types[base].inner.scalar() {
                Some(Scalar { kind: ScalarKind::Float, .. } | Scalar::U64) => "Tensor",
                _ => "Words",
            },
        });
    }
    bindings.sort_by_key(|binding| binding.index);
    Ok(bindings)
}

/// Bytes of workgroup memory that an entry point uses.
pub fn workgroup_memory(module: &Module, info: &ModuleInfo, entry: usize) -> u32 {
    let uses = info.get_entry_point(entry);
    let context = module.to_ctx();
    let own =
        module.global_variables.iter().filter(|(handle, variable)| variable.space == AddressSpace::WorkGroup && !uses[*handle].is_empty());
    own.map(|(_, variable)| module.types[variable.ty].inner.size(context).next_multiple_of(16)).sum()
}
