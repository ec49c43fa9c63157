//! `sum (+)= x`: the one kernel whose result is its input; what it does is said by the [`Sink`] alone.

use super::memory::copied;
use super::{Cpu, CpuTensor, Real};
use crate::backend::Sink;
use crate::backend::ops::{Accumulate, Run};

impl<T: Real> Run<Accumulate<CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &Accumulate<CpuTensor<T>>) -> ((), ()) {
        let values = copied(&of.x.values());
        Sink { tensor: of.sum.clone(), write: of.write }.store(values);
        ((), ())
    }
}
