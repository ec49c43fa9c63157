//! stub
pub trait Real {}
impl Real for f32 {}
