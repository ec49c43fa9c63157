"""What a crate's rustdoc JSON says is public: a line an item, with its types, sorted; a line for all traits that a type has of others.

What the build makes of shaders is left out: it follows from them."""

import json
import sys

document = json.load(open(sys.argv[1]))
index = document["index"]
lines = set()
MADE = "mcsan::backend::gpu::shader::"
STANDARD = ("alloc", "core", "std")


def item(number):
    return index.get(str(number))


def names(arguments):
    """`<T, 'a>` of what a path is given."""
    if not arguments:
        return ""
    if "parenthesized" in arguments:
        inside = arguments["parenthesized"]
        output = inside["output"]
        return "(" + ", ".join(map(kind, inside["inputs"])) + ")" + (f" -> {kind(output)}" if output else "")
    given = arguments.get("angle_bracketed", {"args": [], "constraints": []})
    parts = []
    for argument in given["args"]:
        if argument == "infer":
            parts.append("_")
        elif "lifetime" in argument:
            parts.append(argument["lifetime"])
        elif "type" in argument:
            parts.append(kind(argument["type"]))
        else:
            parts.append(argument["const"]["expr"])
    for constraint in given["constraints"]:
        binding = constraint["binding"]
        if "equality" in binding:
            value = binding["equality"]
            parts.append(f"{constraint['name']} = " + (kind(value["type"]) if "type" in value else value["constant"]["expr"]))
        else:
            parts.append(f"{constraint['name']}: {bounds(binding['constraint'])}")
    return f"<{', '.join(parts)}>" if parts else ""


def path(resolved):
    known = document["paths"].get(str(resolved.get("id")))
    name = resolved.get("path", resolved.get("name", ""))
    if known:
        name = known["path"][-1] if known["path"][0] in STANDARD else "::".join(known["path"])
    return name + names(resolved.get("args"))


def bounds(all_bounds):
    shown = []
    for bound in all_bounds:
        if "trait_bound" in bound:
            inside = bound["trait_bound"]
            shown.append({"maybe": "?", "none": ""}.get(inside["modifier"], "~const ") + path(inside["trait"]))
        elif "outlives" in bound:
            shown.append(bound["outlives"])
        else:
            shown.append("use<…>")
    return " + ".join(shown)


def kind(of):
    """A type, as it is written."""
    if of is None:
        return "()"
    (name, inside), = of.items()
    if name == "resolved_path":
        return path(inside)
    if name in ("generic", "primitive"):
        return inside
    if name == "tuple":
        return "(" + ", ".join(map(kind, inside)) + ("," if len(inside) == 1 else "") + ")"
    if name == "slice":
        return f"[{kind(inside)}]"
    if name == "array":
        return f"[{kind(inside['type'])}; {inside['len']}]"
    if name == "borrowed_ref":
        lifetime = f"{inside['lifetime']} " if inside["lifetime"] else ""
        return f"&{lifetime}{'mut ' if inside['is_mutable'] else ''}{kind(inside['type'])}"
    if name == "raw_pointer":
        return f"*{'mut' if inside['is_mutable'] else 'const'} {kind(inside['type'])}"
    if name == "impl_trait":
        return f"impl {bounds(inside)}"
    if name == "dyn_trait":
        parts = [path(one["trait"]) for one in inside["traits"]] + ([inside["lifetime"]] if inside["lifetime"] else [])
        return f"dyn {' + '.join(parts)}"
    if name == "qualified_path":
        owner = kind(inside["self_type"])
        return f"<{owner} as {path(inside['trait'])}>::{inside['name']}" if inside["trait"] and path(inside["trait"]) else f"{owner}::{inside['name']}"
    if name == "function_pointer":
        return "fn" + signature(inside["sig"])
    return json.dumps(of, sort_keys=True)


def signature(of):
    inputs = [f"{name}: {kind(value)}" for name, value in of["inputs"]]
    return f"({', '.join(inputs)})" + (f" -> {kind(of['output'])}" if of["output"] else "")


def generics(of):
    """`<T: Bound>` and ` where …`."""
    shown = []
    for parameter in of["params"]:
        (sort, inside), = parameter["kind"].items()
        if sort == "lifetime":
            shown.append(parameter["name"])
        elif sort == "type":
            if not inside["is_synthetic"]:
                shown.append(parameter["name"] + (f": {bounds(inside['bounds'])}" if inside["bounds"] else ""))
        else:
            shown.append(f"const {parameter['name']}: {kind(inside['type'])}")
    wheres = []
    for predicate in of["where_predicates"]:
        (sort, inside), = predicate.items()
        if sort == "bound_predicate":
            wheres.append(f"{kind(inside['type'])}: {bounds(inside['bounds'])}")
        else:
            wheres.append(f"{inside.get('lifetime', inside)}: {' + '.join(inside.get('outlives', []))}")
    return (f"<{', '.join(shown)}>" if shown else ""), (f" where {', '.join(wheres)}" if wheres else "")


def function(of, name, before="pub "):
    header = of["header"]
    words = "".join(word + " " for word, key in (("const", "is_const"), ("async", "is_async"), ("unsafe", "is_unsafe")) if header[key])
    given, wheres = generics(of["generics"])
    lines.add(f"{before}{words}fn {name}{given}{signature(of['sig'])}{wheres}")


def fields(numbers, name):
    for number in numbers:
        field = item(number) if number is not None else None
        if field and field["visibility"] in ("public", "default"):
            lines.add(f"pub {name}::{field['name']}: {kind(field['inner']['struct_field'])}")


def implementations(numbers, name):
    traits = set()
    for number in numbers:
        block = item(number)
        if not block:
            continue
        of = block["inner"]["impl"]
        if of["trait"]:
            if not of["is_synthetic"] and not of.get("blanket_impl"):
                traits.add(path(of["trait"]))
            continue
        for member in filter(None, map(item, of["items"])):
            if member["visibility"] == "public":
                walk(member, f"{name}::{member['name']}")
    traits.discard("StructuralPartialEq")
    if traits:
        lines.add(f"impl {', '.join(sorted(traits))} for {name}")


def variant(of, name):
    shape = of["inner"]["variant"]["kind"]
    if shape == "plain":
        lines.add(f"pub {name}")
    elif "tuple" in shape:
        inside = [kind(item(number)["inner"]["struct_field"]) if number is not None and item(number) else "_" for number in shape["tuple"]]
        lines.add(f"pub {name}({', '.join(inside)})")
    else:
        lines.add(f"pub {name} {{ … }}")
        fields(shape["struct"]["fields"], name)


def walk(of, name):
    if name.startswith(MADE) and "module" in of["inner"]:
        return
    (sort, inside), = of["inner"].items()
    if sort == "module":
        lines.add(f"pub mod {name}")
        for number in inside["items"]:
            member = item(number)
            if member and member["visibility"] == "public":
                walk(member, f"{name}::{member['name']}")
    elif sort == "use":
        target = item(inside["id"]) if inside["id"] is not None else None
        above = name.rsplit("::", 1)[0]
        if target is None or target["crate_id"] != 0:
            lines.add(f"pub use {above}::{inside['name']} = {inside['source']}")
        elif inside["is_glob"]:
            members = target["inner"].get("module", target["inner"].get("enum", {}))
            for member in filter(None, map(item, members.get("items", members.get("variants", [])))):
                walk(member, f"{above}::{member['name']}")
        else:
            walk(target, f"{above}::{inside['name']}")
    elif sort in ("struct", "union"):
        given, wheres = generics(inside["generics"])
        shape = inside.get("kind", {"plain": {"fields": inside.get("fields", [])}})
        shown = ""
        if shape != "unit" and "tuple" in shape:
            kinds = [kind(item(number)["inner"]["struct_field"]) if number is not None and item(number) else "_" for number in shape["tuple"]]
            shown = f"({', '.join(kinds)})"
        lines.add(f"pub {sort} {name}{given}{shown}{wheres}")
        if shape != "unit" and "plain" in shape:
            fields(shape["plain"]["fields"], name)
        implementations(inside["impls"], name)
    elif sort == "enum":
        given, wheres = generics(inside["generics"])
        lines.add(f"pub enum {name}{given}{wheres}")
        for number in inside["variants"]:
            variant(item(number), f"{name}::{item(number)['name']}")
        implementations(inside["impls"], name)
    elif sort == "variant":
        variant(of, name)
    elif sort == "trait":
        given, wheres = generics(inside["generics"])
        lines.add(f"pub trait {name}{given}{': ' + bounds(inside['bounds']) if inside['bounds'] else ''}{wheres}")
        for member in filter(None, map(item, inside["items"])):
            walk(member, f"{name}::{member['name']}")
    elif sort == "function":
        function(inside, name)
    elif sort == "type_alias":
        given, wheres = generics(inside["generics"])
        lines.add(f"pub type {name}{given} = {kind(inside['type'])}{wheres}")
    elif sort == "assoc_type":
        given, wheres = generics(inside["generics"])
        lines.add(f"pub type {name}{given}{': ' + bounds(inside['bounds']) if inside['bounds'] else ''}{wheres}")
    elif sort in ("constant", "assoc_const", "static"):
        lines.add(f"pub {'static' if sort == 'static' else 'const'} {name}: {kind(inside['type'])}")
    else:
        lines.add(f"pub {sort} {name}")


root = item(document["root"])
walk(root, root["name"])
print("\n".join(sorted(lines)))
