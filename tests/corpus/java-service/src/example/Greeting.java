package example;

record Greeting(String who) {
    @Override
    public String toString() {
        return "hello " + who;
    }
}
