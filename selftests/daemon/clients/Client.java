// SPDX-License-Identifier: BSD-2-Clause

import java.io.FileInputStream;
import java.io.InputStream;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/**
 * Client PORT CA PKCS12 PASSWORD VERSION: standard input to an echo server over TLS, and what comes back to standard
 * output. The server's name is localhost.
 */
public class Client {
	private static SSLContext settings(String[] arguments) throws Exception {
		KeyStore own = KeyStore.getInstance("PKCS12");
		KeyStore anchors = KeyStore.getInstance("PKCS12");
		KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
		TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
		SSLContext context = SSLContext.getInstance("TLS");
		char[] password = arguments[3].toCharArray();

		try (InputStream in = new FileInputStream(arguments[2])) {
			own.load(in, password);
		}
		anchors.load(null, null);
		try (InputStream in = new FileInputStream(arguments[1])) {
			anchors.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(in));
		}
		keys.init(own, password);
		trust.init(anchors);
		context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
		return context;
	}

	public static void main(String[] arguments) throws Exception {
		byte[] data = System.in.readAllBytes();
		int port = Integer.parseInt(arguments[0]);

		try (SSLSocket socket = (SSLSocket) settings(arguments).getSocketFactory().createSocket("localhost", port)) {
			SSLParameters parameters = socket.getSSLParameters();

			parameters.setEndpointIdentificationAlgorithm("HTTPS");
			parameters.setProtocols(new String[] {"TLSv" + arguments[4]});
			socket.setSSLParameters(parameters);
			socket.startHandshake();
			Thread sender = new Thread(() -> {
				try {
					socket.getOutputStream().write(data);
				} catch (Exception e) {
					System.err.println(e);
				}
			});
			sender.start();
			System.out.write(socket.getInputStream().readNBytes(data.length));
			System.out.flush();
			sender.join();
		}
	}
}
