import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

/**
 * Starts one Elasticsearch node from the artifacts on Maven Central.
 *
 * <p>The server's own main class refuses root and needs parts that are only in the official archive (entitlements, the
 * native launcher), so this builds the node itself. For development and tests on loopback only: no bootstrap checks.
 * Arguments are settings, {@code name=value}. SIGTERM closes the node, which flushes what it holds.
 */
public final class Launcher {
    /** On the class path the server is no named module, so it has no exports to hand to plugins. */
    private static final boolean SERVER_IS_A_MODULE = false;

    public static void main(String[] args) throws Exception {
        Path home = Path.of(System.getProperty("es.path.home"));
        Path config = Path.of(System.getProperty("es.path.conf"));
        Settings.Builder settings = Settings.builder();
        for (String argument : args) {
            String[] pair = argument.split("=", 2);
            settings.put(pair[0], pair[1]);
        }
        LogConfigurator.configureESLogging();
        Environment environment =
            InternalSettingsPreparer.prepareEnvironment(settings.build(), Map.of(), config, () -> "local");
        Files.createDirectories(home.resolve("plugins"));
        PluginsLoader plugins = PluginsLoader.createPluginsLoader(
            PluginsLoader.loadModulesBundles(home.resolve("modules"), false), Set.of(), Map.of(), SERVER_IS_A_MODULE);
        Node node = new Node(environment, plugins);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> close(node)));
        node.start();
        Thread.currentThread().join();
    }

    private static void close(Node node) {
        try {
            node.prepareForClose();
            node.close();
            node.awaitClose(20, TimeUnit.SECONDS);
        } catch (Exception error) {
            error.printStackTrace();
        }
    }
}
