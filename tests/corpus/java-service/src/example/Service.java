package example;

public class Service {
    public static void main(String[] words) {
        System.out.println(new Greeting("world"));
    }
}
