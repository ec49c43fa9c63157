//! The offline bench (`benches/offline`): what its comparison lets pass and what not, and how it reads a compiler's listing. What needs
//! the compilers themselves is `.ci/offline`.

#[path = "../benches/offline/budget.rs"]
mod budget;
#[path = "../benches/offline/listing.rs"]
mod listing;
#[path = "../benches/offline/request.rs"]
mod request;
#[path = "../benches/offline/table.rs"]
mod table;

use listing::{Loop, busiest_loop};
use request::Request;
use table::{Row, Table};

use crate::shaders::entries;

/// An entry point with 100 of each figure that may be so, and no spills.
fn row(entry: &str, variant: &str, chip: &str) -> Row {
    Row {
        entry: entry.into(),
        variant: variant.into(),
        chip: chip.into(),
        registers: 100,
        spills: 0,
        scratch: 0,
        instructions: 100,
        taken: true,
        loop_instructions: None,
        loop_multiply_adds: None,
        note: String::new(),
    }
}

fn table(rows: impl IntoIterator<Item = Row>) -> Table {
    Table { driver: "Mesa 1".into(), rows: rows.into_iter().collect() }
}

/// A row after a change.
fn with(mut row: Row, change: impl FnOnce(&mut Row)) -> Row {
    change(&mut row);
    row
}

fn adam() -> Row {
    row("adam.update", "vec4", "navi21")
}

/// What is worse in one row than in another.
fn worse(now: Row, before: Row) -> Vec<String> {
    table([now]).against(&table([before])).worse
}

#[test]
fn a_choice_among_the_cases_of_other_benches_is_none_of_this_ones() {
    let request = |arguments: &str| Request::read(arguments.split_whitespace().map(str::to_owned));
    // What cargo gives to every bench, with `-- linear` and without.
    assert_eq!(request("linear --bench"), Ok(Request::OfOthers("linear".into())));
    assert_eq!(request("--bench"), Ok(Request::Compare));
    assert_eq!(request("--write --bench"), Ok(Request::Write));
    assert_eq!(request("--rite"), Err("usage: offline [--write]".into()));
}

#[test]
fn a_figure_six_per_cent_worse_fails_by_name_and_four_per_cent_pass() {
    assert_eq!(worse(with(adam(), |row| row.instructions = 104), adam()), [""; 0]);
    let six = worse(with(adam(), |row| row.instructions = 106), adam());
    assert_eq!(six, ["adam.update vec4 on navi21: 106 instructions, 100 in the table"]);
    let six = worse(with(adam(), |row| row.registers = 106), adam());
    assert_eq!(six, ["adam.update vec4 on navi21: 106 registers, 100 in the table"]);
}

#[test]
fn the_first_spill_fails_in_every_variant() {
    let scalar = || row("adam.update", "scalar", "m1");
    assert_eq!(worse(with(scalar(), |row| row.spills = 1), scalar()), ["adam.update scalar on m1: 1 spills, 0 in the table"]);
    assert_eq!(worse(with(scalar(), |row| row.scratch = 4), scalar()), ["adam.update scalar on m1: 4 bytes of scratch, 0 in the table"]);
}

#[test]
fn a_new_entry_point_is_asked_for_and_a_vanished_one_too() {
    let other = || row("sgd.update", "default", "navi21");
    let verdict = table([adam(), other()]).against(&table([adam()]));
    assert_eq!(verdict.worse, ["sgd.update default on navi21 is not in the table"]);
    let verdict = table([adam()]).against(&table([adam(), other()]));
    assert_eq!(verdict.worse, ["sgd.update default on navi21 is in the table and was not compiled"]);
}

#[test]
fn a_chip_that_cannot_be_had_is_neither_missed_nor_lost() {
    let committed = table([adam(), row("adam.update", "vec4", "m1")]);
    assert_eq!(table([adam()]).against(&committed).worse, [""; 0]);
    assert_eq!(table([adam()]).following(&committed).rows, [row("adam.update", "vec4", "m1"), adam()]);
}

#[test]
fn what_the_papers_variants_spill_needs_a_note() {
    let spilling = |variant: &str| with(row("attention.forward", variant, "m1"), |row| (row.spills, row.scratch) = (7, 32));
    let asked = ["attention.forward head16 on m1: 7 spills and 32 bytes of scratch: the table has no note that says why"];
    assert_eq!(worse(spilling("head16"), spilling("head16")), asked);
    assert_eq!(worse(spilling("head16"), with(spilling("head16"), |row| row.note = "few registers".into())), [""; 0]);
    assert_eq!(worse(spilling("head64"), spilling("head64")), [""; 0]);
    let not_taken = || with(spilling("head16"), |row| row.taken = false);
    assert_eq!(worse(not_taken(), not_taken()), [""; 0]);
}

#[test]
fn a_budget_that_is_missed_needs_a_note_and_may_not_get_worse() {
    let product = |multiply_adds| {
        let counts = |row: &mut Row| (row.loop_instructions, row.loop_multiply_adds) = (Some(1000), Some(multiply_adds));
        with(row("linear.forward", "vec4+tile128x128", "gh100"), counts)
    };
    assert_eq!(worse(product(850), product(850)), [""; 0]);
    let missed = worse(product(849), product(849));
    assert_eq!(missed.len(), 1);
    assert!(missed[0].contains("84 % multiply-adds in its loop, of at least 85 %: the table has no note"), "{}", missed[0]);
    let unread = |row: &mut Row| (row.loop_instructions, row.loop_multiply_adds) = (None, None);
    let gone = worse(with(product(850), unread), product(850));
    assert_eq!(gone, ["linear.forward vec4+tile128x128 on gh100: its listing shows no loop, the table has one"]);
    let known = with(product(780), |row| row.note = "known, not yet met".into());
    assert_eq!(worse(product(750), known.clone()), [""; 0]);
    let worse = worse(product(730), known);
    assert_eq!(worse, ["linear.forward vec4+tile128x128 on gh100: 1.37 instructions a multiply-add of its loop, 1.28 in the table"]);
}

#[test]
fn attention_has_sixty_instructions_a_key() {
    let turn = |instructions| Loop { instructions, multiply_adds: 256 };
    let budget = budget::of("attention.forward").unwrap();
    assert!(budget.is_met_by(turn(8 * 60)) && !budget.is_met_by(turn(8 * 60 + 1)));
    assert_eq!(budget.beside(turn(8 * 124)), "124 instructions a key, of at most 60");
}

#[test]
fn what_another_compiler_makes_is_told_and_judged_where_the_same_made_both() {
    let now = Table { driver: "Mesa 2".into(), ..table([with(adam(), |row| row.instructions = 200)]) };
    let verdict = now.against(&table([adam()]));
    assert_eq!(verdict.worse, [""; 0]);
    assert!(verdict.told[0].contains("Mesa 1") && verdict.told[0].contains("Mesa 2"), "{}", verdict.told[0]);
    assert_eq!(verdict.told[1], "adam.update vec4 on navi21: 200 instructions, 100 in the table");
}

#[test]
fn a_table_made_anew_keeps_the_notes_that_are_needed_and_reads_back() {
    let spilling = with(row("attention.forward", "head16", "m1"), |row| row.spills = 7);
    let noted = |row| with(row, |row| row.note = "a reason, with a comma".into());
    let committed = table([noted(adam()), noted(spilling.clone())]);
    let anew = table([spilling.clone(), adam()]).following(&committed);
    assert_eq!(anew.rows, [adam(), noted(spilling)]);
    assert_eq!(Table::read(&anew.text().unwrap()).unwrap(), anew);
}

#[test]
fn the_committed_table_has_every_default_entry_point_and_its_notes() {
    let committed = Table::read(include_str!("../benches/offline.csv")).unwrap();
    assert_eq!(committed.against(&committed).worse, [""; 0]);
    for (name, variant, entry) in entries().filter(|(_, variant, _)| variant.requirements.is_empty()) {
        if !variant.name.contains("software") {
            let found =
                committed.rows.iter().any(|row| row.entry == format!("{}.{}", entry.shader, entry.name) && row.variant == variant.name);
            assert!(found, "{name} is not in benches/offline.csv: .ci/offline --write");
        }
    }
}

#[test]
fn the_loop_that_does_the_work_is_found_in_a_listing() {
    let listing = "\
block 0 L0 [] -> {
    r0      = s2r[x]                      // delay=5
    r1      = ffma r1 r1 r1
} -> [1]
block 1 L1 [0, 4] -> {
    r9..13  = ld.global.a64.b128 [r4..6]  // delay=2
    p0      = isetp.ge.i32 r0 r1
} -> [2]
block.u 2 L2 [1, 2] -> {
    r1      = ffma.ftz r2 r3 r1           // delay=4
    @!p1 r2 = ffma r2 r3 r2
              bra pT L4
} -> [3, 4]
block 3 L3 [2] -> {
              exit
} -> []
block 4 L4 [2] -> {
    @p1       bra L2
} -> [1, 2]
";
    let texts = ["of an earlier step".into(), listing.into()];
    // Blocks 2 and 4; the way out in between is none of theirs.
    assert_eq!(busiest_loop(&texts, None), Some(Loop { instructions: 4, multiply_adds: 2 }));
    // Four turns of it, and block 1, in a turn of the loop around it.
    assert_eq!(busiest_loop(&texts, Some(8)), Some(Loop { instructions: 2 + 4 * 4, multiply_adds: 8 }));
    assert_eq!(busiest_loop(&texts[..1], None), None);
    // Of a product's choice each side counts half.
    let choice = "\
block 0 L0 [3] -> {
    r1      = ffma r2 r3 r1
} -> [1, 2]
block 1 L1 [0] -> {
    r4..8   = ld.global.a64.b128 [r4..6]
    r8..12  = ld.global.a64.b128 [r4..6]
    r2      = iadd3 r2 r3 rZ
              bra pT L3
} -> [3]
block 2 L2 [0] -> {
    r4..8   = ld.global.a64.b128 [r6..8]
} -> [3]
block 3 L3 [1, 2] -> {
              bra L0
} -> [0, 4]
block 4 L4 [3] -> {
              exit
} -> []
";
    let choice = [choice.into()];
    assert_eq!(busiest_loop(&choice, None), Some(Loop { instructions: 1 + 4 + 1 + 1, multiply_adds: 1 }));
    // Four or one, on average 2.5, rounded up.
    assert_eq!(busiest_loop(&choice, Some(1)), Some(Loop { instructions: 5, multiply_adds: 1 }));
    assert_eq!(budget::a_step("linear.forward", "vec4+tile64x64+narrow"), Some(512));
    assert_eq!(budget::a_step("bilstm.forward", "graphics"), None);
}
