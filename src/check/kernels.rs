//! Every kernel with its suite.

use std::fmt;

use super::cases::*;
use super::compare::{Silence, Tolerance};
use super::{Case, Gradient, Inputs, Origin, Prepared, Record, Sabotage, Source, Subject, Suite};
use crate::backend::{Backend, kernels};
use crate::base::sizes::{Keys, SizeError};

/// Declares [`Kernel`] and [`KernelShape`] from the list of kernels, so that none can lack its suite.
macro_rules! suites {
    ($($name:ident $kernel:ident<$($parameter:ident),+> $trait:ident)*) => {
        /// A kernel of [`Backend`], with its gradient.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kernel {
            $(#[doc = concat!("`", stringify!($name), "`")] $kernel,)*
        }

        impl Kernel {
            /// Every kernel, in the order of the model.
            pub const ALL: &[Self] = &[$(Self::$kernel),*];

            /// Its name, as its files have it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$kernel => stringify!($name),)*
                }
            }

            fn shapes(self) -> Vec<KernelShape> {
                match self {
                    $(Self::$kernel => $kernel::cases().into_iter().map(KernelShape::$kernel).collect(),)*
                }
            }

            fn random_shape(self, source: &mut Source) -> KernelShape {
                match self {
                    $(Self::$kernel => KernelShape::$kernel($kernel::random(source)),)*
                }
            }

            fn read(self, keys: &mut Keys<'_>) -> Result<KernelShape, SizeError> {
                Ok(match self {
                    $(Self::$kernel => KernelShape::$kernel($kernel::read(keys)?),)*
                })
            }

            /// Whether backends have a way back through it.
            pub fn has_way_back(self) -> bool {
                match self {
                    $(Self::$kernel => stringify!($trait) == "Differentiate",)*
                }
            }

            /// How its gradient is proved, or why it has none.
            pub fn gradient(self) -> Gradient {
                match self {
                    $(Self::$kernel => $kernel::gradient(),)*
                }
            }

            /// What to break in its shaders.
            pub fn sabotage(self) -> &'static [Sabotage] {
                match self {
                    $(Self::$kernel => $kernel::SABOTAGE,)*
                }
            }
        }

        $(const _: () = assert!(!$kernel::SABOTAGE.is_empty(), concat!(stringify!($name), " has no sabotage"));)*

        /// What a case computes, and on which shapes.
        #[derive(Debug, Clone)]
        pub enum KernelShape {
            $(#[doc = concat!("`", stringify!($name), "`")] $kernel($kernel),)*
        }

        impl KernelShape {
            pub(super) fn kernel(&self) -> Kernel {
                match self {
                    $(Self::$kernel(_) => Kernel::$kernel,)*
                }
            }

            /// Numbers of the largest matrix that goes in or comes out.
            pub(super) fn largest(&self) -> u64 {
                match self {
                    $(Self::$kernel(subject) => subject.largest(),)*
                }
            }
        }

        impl Subject for KernelShape {
            fn tolerance(&self) -> Tolerance {
                match self {
                    $(Self::$kernel(subject) => subject.tolerance(),)*
                }
            }

            fn silence(&self) -> Silence {
                match self {
                    $(Self::$kernel(subject) => subject.silence(),)*
                }
            }
        }

        impl<B: Backend> Record<B> for KernelShape {
            fn prepare<'a>(&self, source: &mut Source, inputs: &Inputs<'a, B>) -> Prepared<'a, B> {
                match self {
                    $(Self::$kernel(subject) => subject.prepare(source, inputs),)*
                }
            }
        }

        impl fmt::Display for KernelShape {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$kernel(subject) => subject.fmt(f),)*
                }
            }
        }
    };
}

kernels!(suites);

impl Kernel {
    /// Its list of cases.
    pub fn cases(self) -> Vec<Case> {
        let seeds = 1u64..;
        let case = |(shape, seed)| Case { kernel_name: self.name(), shape, seed, origin: Origin::Named };
        self.shapes().into_iter().zip(seeds).map(case).collect()
    }

    /// The case of a name, which need not be a listed one, `rows=129,in=40,out=128,relu`; see `Suite::read` for what it may leave
    /// out.
    ///
    /// # Errors
    /// [`SizeError`].
    pub fn case(self, name: &str) -> Result<Case, SizeError> {
        let mut keys = Keys::parse(name, self.name());
        let shape = self.read(&mut keys)?;
        keys.finish()?;
        let full = shape.to_string();
        let listed = self.cases().into_iter().find(|case| case.name() == full);
        Ok(listed.unwrap_or(Case { kernel_name: self.name(), shape, seed: 1, origin: Origin::Named }))
    }

    /// A case on shapes that `seed` chooses.
    pub fn random_case(self, seed: u64) -> Case {
        Case::of(self.name(), self.random_shape(&mut Source::new(!seed)), seed)
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
