//! A thread that keeps what cannot leave it, and answers what it is asked.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use pyo3::prelude::*;

use super::Fault;

/// How long Python waits before it looks for Ctrl-C again.
const LOOK: Duration = Duration::from_millis(50);

type Answer<A> = Result<A, Fault>;

/// What a thread is asked, with where the answer goes.
pub(crate) type Question<Q, A> = (Q, Sender<Answer<A>>);

/// A thread that answers questions, one after the other, until nobody can ask any more.
pub(crate) struct Answering<Q, A>(Mutex<Sender<Question<Q, A>>>);

impl<Q: Send + 'static, A: Send + 'static> Answering<Q, A> {
    /// Begins it. `serve` makes what it keeps, says by the first sender that it is ready (with what there is to know) or why not, and then
    /// answers.
    ///
    /// # Errors
    /// Why it is not ready; Ctrl-C.
    pub(crate) fn begin<K: Send + 'static>(
        py: Python<'_>,
        serve: impl FnOnce(&Sender<Answer<K>>, Receiver<Question<Q, A>>) -> Result<(), Fault> + Send + 'static,
    ) -> PyResult<(Self, K)> {
        let (ready, is_ready) = channel();
        let (ask, asked) = channel();
        thread::spawn(move || {
            if let Err(fault) = serve(&ready, asked) {
                let _nobody_waits = ready.send(Err(fault));
            }
        });
        let known = wait(py, &Mutex::new(is_ready))??;
        Ok((Self(Mutex::new(ask)), known))
    }

    /// Asks, and waits with the interpreter released.
    ///
    /// # Errors
    /// What went wrong; Ctrl-C, after which the answer is not waited for.
    pub(crate) fn ask(&self, py: Python<'_>, question: Q) -> PyResult<A> {
        let (sender, answer) = channel();
        let gone = || Fault::new("the thread that computes has ended; make the object anew");
        self.0.lock().map_err(|_| gone())?.send((question, sender)).map_err(|_| gone())?;
        Ok(wait(py, &Mutex::new(answer))??)
    }
}

/// Waits for what a thread sends, with the interpreter released, and looks for Ctrl-C.
pub(crate) fn wait<T: Send>(py: Python<'_>, receiver: &Mutex<Receiver<T>>) -> PyResult<T> {
    loop {
        let received = py.detach(|| receiver.lock().map_or(Err(RecvTimeoutError::Disconnected), |receiver| receiver.recv_timeout(LOOK)));
        match received {
            Ok(value) => return Ok(value),
            Err(RecvTimeoutError::Timeout) => py.check_signals()?,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Fault::new("the thread that computes ended without a word; please report what you did").into());
            }
        }
    }
}
