//! A page has one thread for all that it does: long work on it gives the others a turn now and then.

use std::cell::Cell;
use std::time::Duration;

use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::clock::Instant;

/// How long work goes on without one: a page that answers within a tenth of a second seems to answer at once.
const LONGEST: Duration = Duration::from_millis(50);

thread_local! {
    static LAST: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Lets a page do what waits there, where it has waited for long enough.
pub(crate) async fn give() {
    let now = Instant::now();
    let last = LAST.get().unwrap_or(now);
    if LAST.get().is_none() || now.duration_since(last) < LONGEST {
        LAST.set(Some(last));
        return;
    }
    // What a page lacks is not waited for.
    let Ok(wait) = Reflect::get(&js_sys::global(), &"setTimeout".into()).and_then(JsCast::dyn_into::<Function>) else { return };
    let turn = Promise::new(&mut |resolve, _| {
        let _never_comes = wait.call2(&JsValue::UNDEFINED, &resolve, &JsValue::from(0)).map_err(|_| resolve.call0(&JsValue::UNDEFINED));
    });
    let _comes = JsFuture::from(turn).await;
    LAST.set(Some(Instant::now()));
}
