// Writes murmur2-java.json, the hashes that the real Java client computes for a table of keys:
//
//   mvn -q org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
//       -Dartifact=org.apache.kafka:kafka-clients:4.3.1 -DoutputDirectory=target
//   mvn -q org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
//       -Dartifact=org.slf4j:slf4j-api:1.7.36 -DoutputDirectory=target
//   java -cp 'target/*' Murmur2Table.java > murmur2-java.json

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.apache.kafka.common.utils.Utils;

class Murmur2Table {
    public static void main(String[] args) {
        List<byte[]> keys = new ArrayList<>();

        for (int length = 0; length <= 20; length++) {
            byte[] zeros = new byte[length];
            byte[] ones = new byte[length];
            byte[] ascending = new byte[length];
            Arrays.fill(ones, (byte) 0xff);
            for (int i = 0; i < length; i++) ascending[i] = (byte) (i + 1);
            keys.addAll(List.of(zeros, ones, ascending));
        }

        for (String text : List.of("21", "foobar", "a-little-bit-long-string", "a-little-bit-longer-string",
                "123e4567-e89b-12d3-a456-426614174000", "Zoë", "Ünïcödé", "日本語のキー", "🦜🦜🦜", "ключ", "\u0000")) {
            keys.add(text.getBytes(StandardCharsets.UTF_8));
        }

        Random random = new Random(431);
        for (int i = 0; i < 400; i++) {
            byte[] bytes = new byte[random.nextInt(64)];
            random.nextBytes(bytes);
            keys.add(bytes);
        }

        HexFormat hex = HexFormat.of();
        List<String> lines = new ArrayList<>();
        for (byte[] key : keys) {
            lines.add("  [\"" + hex.formatHex(key) + "\", " + Utils.murmur2(key) + "]");
        }
        System.out.println("[\n" + String.join(",\n", lines) + "\n]");
    }
}
