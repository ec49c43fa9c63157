//! The network: parameters, layers, and a page for each system.
//!
//! A system is a type that lays its parameters out in its constructor and implements [`Model`]; [`build`] registers it with
//! a line. Nothing else names it: a [`Network`] holds any model, on any backend.

mod amh;
pub mod batch;
mod can;
mod cmkl;
pub mod cost;
mod dimensions;
mod initial;
pub mod layers;
mod liang;
pub mod loss;
mod mcsan;
mod mdre;
mod mha;
pub mod mixing;
mod network;
pub mod parameters;
pub(crate) mod trained;
mod xu;
mod xu_paper;

pub use batch::Batch;
pub use dimensions::Dimensions;
pub use network::Network;
pub use trained::Trained;

use crate::backend::Backend;
use crate::backend::cpu::Cpu;
use crate::base::numbers::Loss;
use crate::base::streams::{Reading, Readings};
use crate::config::{Settings, System, XuForm};
use crate::tape::Var;
use layers::Pass;
use parameters::Parameters;

/// A system: its parameters, the streams that it reads, and its way from a batch of them to the logits.
pub trait Model<B: Backend> {
    /// The parameters' names, shapes and places; the same on every backend.
    fn parameters(&self) -> &Parameters;

    /// The streams that it reads.
    fn reads(&self) -> Vec<Reading>;

    /// What it is trained to make small.
    fn loss(&self) -> Loss {
        Loss::Softmax
    }

    /// Logits `[batch, classes]` of a batch. What is made small besides their loss goes to [`Pass::add_term`], and what the classifier
    /// takes of an utterance through [`Pass::mix`], without which `train.mixup` mixes nothing.
    fn forward<'a>(&self, pass: &mut Pass<'_, 'a, B>, batch: &'a Batch<B>) -> Var<B>;

    /// What a [`Machine`](crate::svm::Machine) on the trained network takes of a batch, `[batch, columns]`; the logits where none stands on
    /// it.
    fn features<'a>(&self, pass: &mut Pass<'_, 'a, B>, batch: &'a Batch<B>) -> Var<B> {
        self.forward(pass, batch)
    }
}

/// The model that the settings describe, for data of these dimensions: the register of the systems.
pub fn build<B: Backend>(settings: &Settings, dimensions: &Dimensions) -> Box<dyn Model<B>> {
    let system = settings.model.system;
    match system {
        System::Mcsan | System::Mcsan3 => Box::new(mcsan::Mcsan::new(settings, dimensions)),
        System::Mdre | System::Mdrea => Box::new(mdre::Mdre::new(&settings.mdre, system == System::Mdrea, dimensions)),
        System::Mha => Box::new(mha::Mha::new(&settings.mha, dimensions)),
        System::Xu => match settings.xu.form {
            XuForm::Delta => Box::new(xu::Xu::new(&settings.xu, dimensions)),
            XuForm::Paper => Box::new(xu_paper::XuPaper::new(&settings.xu, dimensions)),
        },
        System::Amh => Box::new(amh::Amh::new(&settings.amh, dimensions)),
        System::Can => Box::new(can::Can::new(&settings.can, dimensions)),
        System::Cmkl => Box::new(cmkl::Cmkl::new(&settings.cmkl, dimensions)),
        System::Liang => Box::new(liang::Liang::new(&settings.liang, dimensions)),
    }
}

/// The parameters of the model that the settings describe.
pub fn parameters(settings: &Settings, dimensions: &Dimensions) -> Parameters {
    build::<Cpu<f32>>(settings, dimensions).parameters().clone()
}

/// What the model that the settings describe reads of a data set.
pub fn readings(settings: &Settings, dimensions: &Dimensions) -> Readings {
    Readings::new(&build::<Cpu<f32>>(settings, dimensions).reads(), settings.data.max_frames)
}
