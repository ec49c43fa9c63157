//! Which tiles compute the matrix products: a rehearsal of the work tells which products come, and each is timed once.

use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;

use super::Gpu;
use crate::backend::gpu::kernels::Trial;
use crate::backend::gpu::memory::Allocation;
use crate::backend::{Clock, Execution, Result};
use crate::base::tiles::{ProductClass, ProductShape, Tile, TileChoice};

/// Nanoseconds that a try is to take, so that what a submission costs does not decide.
const SPAN: f64 = 1e6;
const MOST_REPEATS: usize = 32;
const TRIES: usize = 3;

/// What came in a rehearsal.
#[derive(Default)]
pub(super) struct Rehearsed {
    /// Products that no tile is chosen for, the first of each class.
    products: BTreeMap<ProductClass, ProductShape>,
    pub dispatches: Vec<PlannedDispatch>,
    /// Stands for the memory of lists.
    pub lists: Option<Rc<Allocation>>,
}

/// A dispatch that work would take.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedDispatch {
    /// What it would do; it has no span.
    pub execution: Execution,
    /// Of a workgroup.
    pub invocations: u32,
    /// Of a workgroup, in bytes.
    pub workgroup_memory: u32,
}

/// A rehearsal under way, which ends when it is dropped.
struct Rehearsal<'g>(&'g Gpu);

impl Drop for Rehearsal<'_> {
    fn drop(&mut self) {
        self.0.rehearsed.take();
        self.0.slab_sums.forget();
    }
}

impl Gpu {
    /// Goes through `work` without doing it: kernels are launched and nothing is recorded, uploaded or allocated, and reads
    /// give zeros. Returns what it returns, and the products that came and could be tuned (see [`Gpu::tune`]). Nothing that it
    /// makes on the device may be used afterwards.
    pub async fn rehearse<T>(&self, work: impl Future<Output = T>) -> (T, Vec<ProductShape>) {
        let (result, rehearsed) = self.go_through(work).await;
        (result, rehearsed.products.into_values().collect())
    }

    /// As [`Gpu::rehearse`]; returns the dispatches that the work would take, each in one part.
    pub async fn plan<T>(&self, work: impl Future<Output = T>) -> (T, Vec<PlannedDispatch>) {
        let (result, rehearsed) = self.go_through(work).await;
        (result, rehearsed.dispatches)
    }

    async fn go_through<T>(&self, work: impl Future<Output = T>) -> (T, Rehearsed) {
        self.add_up();
        *self.rehearsed.borrow_mut() = Some(Rehearsed::default());
        let rehearsal = Rehearsal(self);
        let result = work.await;
        self.add_up();
        let rehearsed = self.rehearsed.take().unwrap_or_default();
        drop(rehearsal);
        (result, rehearsed)
    }

    pub(in super::super) fn is_rehearsing(&self) -> bool {
        self.rehearsed.borrow().is_some()
    }

    /// Times all tiles for each of some products that no choice is known for, on memory of its own, and keeps the fastest. A
    /// product that the device has no memory for stays with the rule.
    ///
    /// All tiles give the same bits, so this decides how fast later work is and nothing else.
    ///
    /// # Errors
    /// Whatever else went wrong on the device.
    pub async fn tune(&self, products: &[ProductShape], clock: &Clock) -> Result<()> {
        let mut has_timed = false;
        for &shape in products.iter().filter(|shape| self.tiles.get(shape.class()).is_none()) {
            let fastest = self.fastest(shape, clock).await;
            has_timed = true;
            match self.device.failure() {
                None => self.tiles.take([TileChoice { class: shape.class(), tile: fastest }]),
                Some(error) if error.smaller_batch_helps() => self.forget_failure().await,
                Some(error) => return Err(error),
            }
        }
        if has_timed {
            // What it took serves better what comes.
            self.device.idle().await;
            self.memory.clear(&self.device);
        }
        Ok(())
    }

    /// Chooses for each of some products, of the tiles that registers hold, the one whose dispatches cost least, as [`Gpu::tune`] would by
    /// time on a device that is not here.
    pub async fn choose_tiles(&self, products: &[ProductShape], cost: impl Fn(&[PlannedDispatch]) -> f64) {
        for &shape in products {
            let mut cheapest: Option<(f64, Tile)> = None;
            for tile in Tile::ALL.into_iter().filter(|&tile| self.holds(tile)) {
                let ((), dispatches) = self.plan(async { Trial::new(self, shape).record(self, tile) }).await;
                let cost = cost(&dispatches);
                if cheapest.is_none_or(|(least, _)| cost < least) {
                    cheapest = Some((cost, tile));
                }
            }
            self.tiles.take(cheapest.map(|(_, tile)| TileChoice { class: shape.class(), tile }));
        }
    }

    /// Takes choices that were made before, over those that it has.
    pub fn take_tiles(&self, choices: impl IntoIterator<Item = TileChoice>) {
        self.tiles.take(choices);
    }

    /// The choices so far.
    pub(in super::super) fn chosen_tiles(&self) -> Vec<TileChoice> {
        self.tiles.all()
    }

    /// The tile of a product: the one that was chosen, else that of the rule.
    pub(in super::super) fn tile_for(&self, shape: ProductShape, ruled: Tile) -> Tile {
        let chosen = self.tiles.get(shape.class());
        if let (Some(rehearsed), None) = (self.rehearsed.borrow_mut().as_mut(), chosen) {
            rehearsed.products.entry(shape.class()).or_insert(shape);
        }
        chosen.unwrap_or(ruled)
    }

    async fn fastest(&self, shape: ProductShape, clock: &Clock) -> Tile {
        let trial = Trial::new(self, shape);
        self.send();
        self.device.idle().await;
        let mut fastest = (f64::INFINITY, Tile::Large);
        for tile in Tile::ALL {
            self.time(&trial, tile, 1, clock).await;
            let once = self.time(&trial, tile, 1, clock).await;
            let repeats = ((SPAN / once) as usize).clamp(1, MOST_REPEATS);
            for _ in 0..TRIES {
                let time = self.time(&trial, tile, repeats, clock).await;
                if time < fastest.0 {
                    fastest = (time, tile);
                }
            }
        }
        fastest.1
    }

    /// Nanoseconds of one of `repeats` runs of a product.
    async fn time(&self, trial: &Trial, tile: Tile, repeats: usize, clock: &Clock) -> f64 {
        let begin = clock();
        (0..repeats).for_each(|_| trial.record(self, tile));
        self.add_up();
        self.send();
        self.device.idle().await;
        (clock() - begin) / repeats as f64
    }
}
