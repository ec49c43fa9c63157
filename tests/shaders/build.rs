//! What `build/` makes of the shaders: variants that are chosen by name, whatever their order, each with its own constants; and what
//! it refuses.

#[path = "../../build/generate.rs"]
mod generate;
#[path = "../../build/reflect.rs"]
mod reflect;
#[path = "../../build/requirements.rs"]
pub mod requirements;
#[path = "../../build/uniformity.rs"]
pub mod uniformity;
#[path = "../../build/variants.rs"]
mod variants;

use mcsan::backend::gpu::shader::{self, SHADERS};

use generate::{Shader, VariantModule};
use variants::{Variants, rust_name};

/// Rust of a shader made of texts by their variants' names.
fn generated<'a>(texts: impl Iterator<Item = (&'a str, &'a str)>) -> Result<String, String> {
    let variants = texts.map(|(name, source)| VariantModule::new(name, source.into())).collect::<Result<Vec<_>, _>>();
    let shader = variants.map(|variants| Shader { name: "product".into(), variants });
    shader.and_then(|shader| shader.generate()).map_err(|failure| failure.to_string())
}

#[test]
fn the_order_in_which_variants_are_listed_decides_nothing() {
    let sorted = |code: Result<String, String>| {
        let mut lines: Vec<String> = code.unwrap().lines().map(String::from).collect();
        lines.sort();
        lines
    };
    for shader in SHADERS.iter().filter(|shader| shader.variants.len() > 1) {
        let texts = || shader.variants.iter().map(|variant| (variant.name, variant.source));
        assert_eq!(sorted(generated(texts())), sorted(generated(texts().rev())), "{}", shader.name);
    }
}

#[test]
fn a_variants_name_leads_to_its_text_and_to_its_tile() {
    use shader::linear::Variant::*;
    let tiles = [
        (Vec4Tile128x128, "vec4+tile128x128", [128, 128], 256),
        (Vec4Tile128x64, "vec4+tile128x64", [128, 64], 128),
        (Vec4Tile64x64, "vec4+tile64x64", [64, 64], 64),
        (Vec4Tile64x64Narrow, "vec4+tile64x64+narrow", [64, 64], 128),
        (Vec4Tile32x32Narrow, "vec4+tile32x32+narrow", [32, 32], 32),
        (ScalarTile64x64Narrow, "scalar+tile64x64+narrow", [64, 64], 128),
        (RoundedTile64x64Narrow, "rounded+tile64x64+narrow", [64, 64], 128),
        (Plain, "plain", [8, 8], 64),
        (Software, "software", [32, 64], 8),
        (MatricesSize16, "matrices+size16", [128, 128], 256),
        (MatricesSize8, "matrices+size8", [64, 64], 256),
    ];
    assert_eq!(tiles.len(), shader::linear::SHADER.variants.len());
    for (variant, name, [rows, columns], workgroup) in tiles {
        let record: &shader::ShaderVariant = variant.into();
        assert_eq!((record.name, variant.tile_rows(), variant.tile_columns(), variant.workgroup()), (name, rows, columns, workgroup));
        let constants = reflect::constants(&super::parse(record.source).0);
        assert_eq!(["TILE_ROWS", "TILE_COLUMNS", "WORKGROUP"].map(|name| constants[name]), [rows, columns, workgroup], "{name}");
        assert!(record.footprints.iter().all(|footprint| footprint.workgroup_size == [workgroup, 1, 1]), "{name}");
    }
}

#[test]
fn every_variant_is_named_in_rust_as_in_the_list() {
    assert_eq!(["default", "vec4+tile64x64+narrow", "software+head8"].map(rust_name), ["Default", "Vec4Tile64x64Narrow", "SoftwareHead8"]);
}

#[test]
fn lists_of_no_shader_empty_lists_and_doubled_variants_are_refused() {
    let read = |text: &str| Variants::read(text, ["linear", "sgd"].into_iter());
    let listed = read("linear = ['plain', 'software']").unwrap();
    assert_eq!((listed.of("linear"), listed.of("sgd")), (&["plain".into(), "software".into()][..], &["default".into()][..]));
    assert_eq!(read("linear = ['a+b', 'b+c']").unwrap().conditions().collect::<Vec<_>>(), ["a", "b", "b", "c"]);
    for (text, reason) in [
        ("linaer = ['plain']", "there is no shader linaer"),
        ("linear = []", "linear has no variant"),
        ("linear = ['plain', 'plain']", "linear has Plain twice"),
        ("linear = ['a+b', 'a_b']", "linear has AB twice"),
        ("linear = 'plain'", "variants.toml"),
    ] {
        let refusal = read(text).err().unwrap_or_else(|| panic!("{text} is taken"));
        assert!(refusal.contains(reason), "{text}: {refusal}");
    }
}

#[test]
fn variants_that_differ_in_nothing_or_in_what_they_are_launched_with_are_refused() {
    let text = |argument: &str, buffer: &str, rest: &str| {
        format!(
            "struct Args {{ {argument}: u32 }}
            @group(0) @binding(0) var<uniform> args: Args;
            @group(0) @binding(1) var<storage, read_write> {buffer}: array<f32>;
            {rest}
            @compute @workgroup_size(8) fn main() {{ {buffer}[args.{argument}] = 1.0; }}"
        )
    };
    let usual = text("count", "y", "");
    for (other, reason) in [
        (text("count", "y", "const DEPTH: u32 = 4;"), None),
        (usual.clone(), Some("variants one and other are the same text")),
        (text("rows", "y", ""), Some("variant other takes other arguments than one")),
        (text("count", "out", ""), Some("main: variant other binds other buffers than one")),
        (text("count", "y", "const DEPTH: u32 = 4; const DEPTH: u32 = 8;"), Some("redefinition of `DEPTH`")),
    ] {
        let refusal = generated([("one", usual.as_str()), ("other", other.as_str())].into_iter()).err();
        match reason {
            None => assert_eq!(refusal, None, "{other}"),
            Some(reason) => assert!(refusal.as_ref().is_some_and(|text| text.contains(reason)), "{other}: {refusal:?}"),
        }
    }
}
