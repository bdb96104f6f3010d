fn main() {
    println!("{}", greet::hello("world"));
}
