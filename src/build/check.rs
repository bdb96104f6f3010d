//! stub
use crate::build::dockerfile::Dockerfile;
pub struct W;
impl W {
    pub fn shown(&self, _: &str, _: &str) -> String {
        String::new()
    }
}
pub fn check(_: &Dockerfile, _: &str) -> Vec<W> {
    Vec::new()
}
