pub fn hello(who: &str) -> String {
    format!("hello {who}")
}
