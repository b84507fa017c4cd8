// Ask a running service in Java 17, by the JDK alone: java Client.java http://127.0.0.1:3000 digits ../one_digit.json 8
// The JDK reads no JSON: a pattern finds what is needed here; take the JSON library that your application has.
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.regex.Pattern;

public class Client {
    static class ReleveException extends RuntimeException {
        ReleveException(String message) { super(message); }
    }

    final HttpClient http = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(5)).build();
    final String base;

    Client(String address, String scenario) { base = address + "/scenarios/" + scenario + "/"; }

    String post(String path, String json) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(base + path)).timeout(Duration.ofSeconds(30))
            .header("authorization", "Bearer " + System.getenv().getOrDefault("RELEVE_TOKEN", ""))  // none on loopback
            .header("content-type", "application/json").POST(HttpRequest.BodyPublishers.ofString(json)).build();
        var response = http.send(request, HttpResponse.BodyHandlers.ofString());
        if (response.statusCode() >= 400) {
            var error = response.body();
            throw new ReleveException(response.statusCode() + " " + field(error, "code") + ": " + field(error, "message"));
        }
        return response.body();
    }

    static String field(String json, String name) {
        var found = Pattern.compile("\"" + name + "\":(\"((?:[^\"\\\\]|\\\\.)*)\"|[^,}\\]]+)").matcher(json);
        if (!found.find()) throw new IllegalStateException("no " + name + " in " + json);
        return found.group(2) != null ? found.group(2) : found.group(1);
    }

    public static void main(String[] args) throws Exception {
        var client = new Client(args[0], args[1]);
        var body = Files.readString(Path.of(args[2]));  // {"rows": [...]}
        var answer = client.post("predict", body);
        var predictions = answer.substring(answer.indexOf("\"predictions\":"));
        var predicted = field(predictions, predictions.contains("\"label\":") ? "label" : "value");
        System.out.println("predicted " + predicted + " by " + field(answer, "model_version"));
        var row = body.substring(body.indexOf('{', 1), body.indexOf('}') + 1);
        var found = client.post("search", "{\"row\": " + row + ", \"limit\": 3}");
        System.out.println("neighbours " + (found.split("\"distance\":", -1).length - 1));
        var label = "{\"id\": \"" + field(predictions, "id") + "\", \"label\": " + args[3] + "}";  // once it is known
        System.out.println("accepted " + field(client.post("feedback", "{\"labels\": [" + label + "]}"), "accepted"));
        try {
            client.post("predict", "{\"rows\": []}");
        } catch (ReleveException error) {
            System.out.println("refused " + error.getMessage());
        }
    }
}
