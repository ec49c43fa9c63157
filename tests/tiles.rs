//! Products on graphics hardware: every tile sums in the same order, so which one is chosen, and how, changes no bit.

use std::cell::Cell;
use std::rc::Rc;

use crate::common::{assert_same, gpus, outputs};
use mcsan::backend::gpu::{Checking, Gpu, registers_of};
use mcsan::backend::{Clock, Storage};
use mcsan::base::tiles::{Form, ProductShape, Tile, TileChoice};
use mcsan::check::{Case, Kernel, Output};

/// The cases of the kernels that are products, in f32.
fn products() -> Vec<Case> {
    let kernels = [Kernel::Linear, Kernel::Bilstm];
    kernels.iter().flat_map(|kernel| kernel.cases()).filter(|case| !case.name().contains("mixed")).collect()
}

/// The products of a case that no tile is chosen for.
fn rehearse(gpu: &Gpu, case: &Case) -> Vec<ProductShape> {
    let (outputs, products) = pollster::block_on(gpu.rehearse(case.run(gpu)));
    let outputs = outputs.expect("a rehearsal does nothing that could fail");
    assert!(outputs.iter().flat_map(|output| &output.values).all(|&value| value == 0.0), "{case}: a rehearsal computes nothing");
    products
}

/// Has the tiles of a case's products timed.
fn tune(gpu: &Gpu, case: &Case, clock: &Clock) {
    pollster::block_on(gpu.tune(&rehearse(gpu, case), clock)).expect("the device does its work");
}

/// A clock that goes on by a try's span whenever it is asked, so that nothing is run more than once a try.
fn steady_clock(asked: &Rc<Cell<usize>>) -> Clock {
    let asked = asked.clone();
    Box::new(move || {
        asked.set(asked.get() + 1);
        1e6 * asked.get() as f64
    })
}

fn variants_of_linear(gpu: &Gpu) -> Vec<&'static str> {
    let run = gpu.variants_run();
    run.into_iter().filter(|(shader, _)| *shader == "linear").map(|(_, variant)| variant).collect()
}

#[test]
fn every_tile_gives_the_same_bits() {
    assert_tiles_agree(Checking::Off);
}

#[test]
fn every_tile_gives_the_same_bits_with_run_time_checks() {
    assert_tiles_agree(Checking::All);
}

fn assert_tiles_agree(checking: Checking) {
    for (number, (name, ruled)) in gpus("tiles", &[checking]).iter().enumerate() {
        let expected: Vec<Vec<Output>> = products().iter().map(|case| outputs(ruled, case)).collect();
        if variants_of_linear(ruled).contains(&"software") {
            println!("skipped: {name} computes by software");
            continue;
        }
        let again = || gpus("tiles", &[checking]).swap_remove(number).1;
        let timed = again();
        let clock = steady_clock(&Rc::default());
        products().iter().for_each(|case| tune(&timed, case, &clock));
        for (case, expected) in products().iter().zip(&expected) {
            assert_same(&outputs(&timed, case), expected, &format!("{name}: {case}, timed"));
        }
        for tile in Tile::ALL {
            let gpu = again();
            gpu.take_tiles(timed.tiles().into_iter().map(|choice| choice.by(tile)));
            for (case, expected) in products().iter().zip(&expected) {
                assert_same(&outputs(&gpu, case), expected, &format!("{name}: {case} by {tile:?}"));
            }
            let run = variants_of_linear(&gpu);
            assert_eq!(run.iter().filter(|variant| variant.contains("vec4")).count(), 1, "{name}: {tile:?} ran as {run:?}");
        }
    }
}

#[test]
fn a_device_of_few_registers_is_given_tiles_that_they_hold_and_the_same_bits() {
    for (number, (name, gpu)) in gpus("registers", &[Checking::Off]).iter().enumerate() {
        let expected: Vec<Vec<Output>> = products().iter().map(|case| outputs(gpu, case)).collect();
        if variants_of_linear(gpu).contains(&"software") {
            println!("skipped: {name} computes by software");
            continue;
        }
        let mut few = gpus("registers", &[Checking::Off]).swap_remove(number).1;
        few.limit_registers(registers_of(wgpu::DeviceType::DiscreteGpu, 0x8086, "Intel(R) Arc(tm) A770 Graphics"));
        for (case, expected) in products().iter().zip(&expected) {
            assert_same(&outputs(&few, case), expected, &format!("{name}: {case}"));
        }
        let run = variants_of_linear(&few);
        assert!(run.contains(&"vec4+tile64x64+narrow") && !run.iter().any(|variant| variant.ends_with("tile128x128")), "{name}: {run:?}");
        assert!(run.iter().filter_map(|variant| Tile::of_variant(variant)).all(|tile| tile == Tile::Narrow), "{name}: {run:?}");
    }
}

#[test]
fn a_rehearsal_asks_nothing_of_the_device_and_a_choice_is_timed_once() {
    let case = &Kernel::Linear.cases()[0];
    for (name, gpu) in gpus("timed once", &[Checking::Off]) {
        let before = gpu.counters();
        let products = rehearse(&gpu, case);
        assert_eq!(gpu.counters(), before, "{name}");
        let expected = outputs(&gpu, case);
        assert_eq!(gpu.tiles(), [], "{name}: nothing is timed unless it is asked for");
        if variants_of_linear(&gpu).contains(&"software") {
            assert_eq!(products, [], "{name}: there is nothing to choose");
            continue;
        }
        let forms: Vec<Form> = products.iter().map(|product| product.form).collect();
        assert_eq!(forms, Form::ALL, "{name}: {products:?}");
        let asked = Rc::default();
        let clock = steady_clock(&asked);
        tune(&gpu, case, &clock);
        let (first, times) = (gpu.tiles(), asked.get());
        assert_eq!((first.len(), times > 0), (3, true), "{name}: {first:?}");
        assert_eq!(rehearse(&gpu, case), [], "{name}: all is known");
        pollster::block_on(gpu.tune(&products, &clock)).unwrap();
        assert_same(&outputs(&gpu, case), &expected, &name);
        assert_eq!((gpu.tiles(), asked.get()), (first, times), "{name}");
    }
}

#[test]
fn the_fastest_tile_is_chosen_and_a_known_one_is_not_timed() {
    let case = &Kernel::Linear.cases()[0];
    for (name, gpu) in gpus("fastest", &[Checking::Off]) {
        // A clock by which all tiles but the third are slow: it is asked at the begin and at the end of every try.
        gpu.take_tiles([TileChoice::new(Form::Forward, 200, 128, 128, Tile::Small)]);
        let asked = Cell::new(0usize);
        let now = Cell::new(0.0);
        let clock: Clock = Box::new(move || {
            let call = asked.replace(asked.get() + 1);
            // Five tries a tile, two calls a try, five tiles a product.
            let tile = call / 10 % 5;
            if call % 2 == 1 {
                now.set(now.get() + if tile == 2 { 1e6 } else { 2e6 });
            }
            now.get()
        });
        if rehearse(&gpu, case).is_empty() {
            println!("skipped: {name} has nothing to choose");
            continue;
        }
        tune(&gpu, case, &clock);
        let expected = [
            TileChoice::new(Form::Forward, 200, 128, 128, Tile::Small),
            TileChoice::new(Form::BackwardInput, 200, 128, 128, Tile::Square),
            TileChoice::new(Form::BackwardWeight, 200, 128, 128, Tile::Square),
        ];
        assert_eq!(gpu.tiles(), expected, "{name}");
    }
}

#[test]
fn a_product_that_is_too_large_to_be_timed_is_left_to_the_rule() {
    for (name, mut gpu) in gpus("too large to time", &[Checking::Off]) {
        gpu.restrict_buffers(1 << 20);
        let product = |rows| ProductShape { form: Form::Forward, rows, inputs: 64, outputs: 64 };
        pollster::block_on(gpu.tune(&[product(1 << 13), product(64)], &steady_clock(&Rc::default()))).unwrap();
        let classes: Vec<_> = gpu.tiles().into_iter().map(|choice| choice.class).collect();
        assert_eq!((classes, gpu.failure()), (vec![product(64).class()], None), "{name}");
    }
}
