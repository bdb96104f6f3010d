//! stub
#[derive(Debug, Clone, Default)]
pub struct Ignore;
impl Ignore {
    pub fn parse(_: &str) -> Result<Self, String> {
        Ok(Self)
    }
    pub fn excludes(&self, _: &[u8]) -> bool {
        false
    }
    pub fn may_include_below(&self, _: &[u8]) -> bool {
        false
    }
}
